//! The native host, by a port to the service worker, which alone may reach it: carries out what the
//! [`association`](super::association) wants, keeps what the daemon shows for the pages, and passes its events on. What the
//! daemon shows and tells stays the text that it is, but for a count: the pages and the service worker read it.

use core::cell::{Cell, RefCell};
use core::fmt;

use js_sys::{Array, JSON, Object, Reflect};
use tabferry_protocol::host::{Command, Settings};
use tabferry_protocol::id::PeerId;
use tabferry_protocol::native::Identity;
use tabferry_protocol::paired::PairedDevice;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::spawn_local;

use super::association::{Action, Association, Heard, Passed, Said};
use super::host::Host;
use super::timer::Timer;
use super::vault::Vault;
use super::{background, log};
use crate::chrome::runtime::{Port, RawPort};
use crate::envelope::{BackgroundMessage, NativeCommand};
use crate::json;

/// The extension's version; the browser doesn't tell it here.
const PROGRAM: &str = env!("CARGO_PKG_VERSION");

/// See the module.
pub(crate) struct Native {
    association: RefCell<Association>,
    port: RefCell<Link>,
    alarm: Timer,
    /// The daemon's last snapshot, as JSON.
    shown: RefCell<Option<String>>,
    /// Proposals in it.
    waiting: Cell<u32>,
    /// Without one, this is another device at each start, and not the daemon's.
    vault: Option<Vault>,
}

/// The way to the native host.
#[derive(Default)]
enum Link {
    #[default]
    Closed,
    /// Asked for; what is to be said first.
    Opening(Vec<String>),
    Open(Port),
}

impl Native {
    /// `alarm` is to call [`Native::handle_alarm`].
    pub(crate) fn new(
        identity: Identity,
        paired: Vec<PairedDevice>,
        agreed: Vec<PairedDevice>,
        vault: Option<Vault>,
        alarm: Timer,
    ) -> Self {
        let association = Association::new(PROGRAM.to_owned(), identity, paired, agreed);
        Self {
            association: RefCell::new(association),
            port: RefCell::default(),
            alarm,
            shown: RefCell::default(),
            waiting: Cell::default(),
            vault,
        }
    }

    /// Takes a command for the daemon. Gives it back if it is for the engine here, too.
    pub(crate) fn take(&self, host: &Host, command: Command) -> Option<Command> {
        let (passed, is_done) = Passed::of(&command).unzip();
        if let Some(passed) = passed {
            self.then(host, |association| association.pass_on(passed));
        }
        (is_done != Some(true)).then_some(command)
    }

    pub(crate) fn handle_command(&self, host: &Host, command: NativeCommand) {
        if self.vault.is_some() {
            self.then(host, |association| association.handle_command(command));
        }
    }

    pub(crate) fn configure(&self, host: &Host, settings: &Settings) {
        self.then(host, |association| association.configure(settings.clone()));
    }

    pub(crate) fn handle_paired(&self, host: &Host, paired: Vec<PairedDevice>) {
        self.then(host, |association| association.handle_paired(paired));
    }

    pub(crate) fn handle_own_peer(&self, host: &Host, peer: Option<PeerId>) {
        self.then(host, |association| association.handle_own_peer(peer));
    }

    pub(crate) fn handle_alarm(&self, host: &Host) {
        self.then(host, Association::handle_alarm);
    }

    /// Proposals that the daemon shows.
    pub(crate) fn waiting(&self) -> u32 {
        self.waiting.get()
    }

    /// Whether the daemon stores received files.
    pub(crate) fn is_associated(&self) -> bool {
        self.association.borrow().is_associated()
    }

    /// A [`NativeShown`](crate::envelope::NativeShown) as JSON.
    pub(crate) fn shown(&self) -> String {
        let association = self.association.borrow();
        let state = write(association.state()).unwrap_or_else(|| "\"failed\"".to_owned());
        let shown = self.shown.borrow();
        let snapshot = shown.as_deref().unwrap_or("null");
        ["{\"state\":", &state, ",\"snapshot\":", snapshot, "}"].concat()
    }

    fn handle_text(&self, host: &Host, text: &str) {
        let Ok(message) = JSON::parse(text) else {
            return log::warn("native host", "no JSON");
        };
        if let Some(why) = field(&message, "gone").as_string() {
            self.handle_gone(host, &why);
            return;
        }
        let heard = field(&message, "heard");
        let (shown, event) = (field(&heard, "shown"), field(&heard, "event"));
        if shown.is_object() {
            self.handle_shown(host, &field(&shown, "snapshot"));
        } else if !event.is_undefined() {
            handle_event(&event);
        } else {
            match json::from_value::<Heard>(heard) {
                Ok(heard) => self.then(host, |association| association.handle_heard(heard)),
                // Of a version that is to come.
                Err(error) => log::warn("native host", error),
            }
        }
    }

    fn handle_gone(&self, host: &Host, why: &str) {
        if !matches!(self.port.take(), Link::Closed) {
            self.then(host, |association| association.handle_gone(why));
        }
    }

    fn handle_shown(&self, host: &Host, snapshot: &JsValue) {
        let text = JSON::stringify(snapshot).ok().map(String::from);
        self.shown.replace(text);
        self.waiting
            .set(Array::from(&field(snapshot, "incoming")).length());
        host.show_soon();
    }

    fn then(&self, host: &Host, handle: impl FnOnce(&mut Association) -> Vec<Action>) {
        let actions = handle(&mut self.association.borrow_mut());
        for action in actions {
            self.carry_out(host, action);
        }
    }

    fn carry_out(&self, host: &Host, action: Action) {
        match action {
            Action::Open => self.open(host),
            Action::Close => drop(self.port.take()),
            Action::Say(what) => self.say(&what),
            Action::Alarm(milliseconds) => self.alarm.set(milliseconds),
            Action::Tell(input) => host.tell(input),
            Action::KeepAgreed(paired) => {
                if let Some(vault) = &self.vault {
                    vault.keep_agreed(&paired);
                }
            }
            Action::Become(association) => {
                let Some(vault) = self.vault.clone() else {
                    return;
                };
                spawn_local(async move {
                    let key = association.identity.key();
                    match vault.replace(&key, &association.paired).await {
                        Ok(()) => {
                            background::tell(BackgroundMessage::Adopted(association.settings))
                        }
                        Err(thrown) => log::warn_js("another device", &thrown),
                    }
                });
            }
            Action::Forget => {
                self.shown.take();
                self.waiting.set(0);
                background::tell(BackgroundMessage::NativeGone);
                host.show_soon();
            }
            Action::Changed => host.show_soon(),
        }
    }

    fn open(&self, host: &Host) {
        self.port.replace(Link::Opening(Vec::new()));
        let host = host.clone();
        spawn_local(async move {
            if !background::connect_native().await {
                host.native().handle_gone(&host, "");
            }
        });
    }

    /// Takes the port that was asked for; another one is closed.
    pub(crate) fn take_port(&self, host: &Host, raw: RawPort) {
        let (messages, end) = (host.clone(), host.clone());
        let port = Port::new(
            raw,
            move |text| messages.native().handle_text(&messages, &text),
            // The service worker has gone, and the native host with it.
            move || end.native().handle_gone(&end, ""),
        );
        let mut link = self.port.borrow_mut();
        if let Link::Opening(said) = &*link {
            for text in said {
                post(&port, text);
            }
            *link = Link::Open(port);
        }
    }

    fn say(&self, what: &Said) {
        let Some(text) = write(what) else { return };
        match &mut *self.port.borrow_mut() {
            Link::Closed => {}
            Link::Opening(said) => said.push(text),
            Link::Open(port) => post(port, &text),
        }
    }
}

impl fmt::Debug for Native {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Native")
            .field("association", &self.association)
            .finish_non_exhaustive()
    }
}

/// Passes an event of the daemon on, but none of a pairing: that can only be answered where the daemon is.
fn handle_event(event: &JsValue) {
    let kind = event.as_string().or_else(|| {
        let keys = Object::keys(event.unchecked_ref::<Object>());
        keys.get(0).as_string()
    });
    if kind.is_some_and(|kind| !kind.starts_with("pairing-"))
        && let Ok(event) = JSON::stringify(event)
    {
        background::tell_happened(&String::from(event));
    }
}

fn post(port: &Port, text: &str) {
    if let Err(error) = port.post(text) {
        log::warn("native host", error);
    }
}

/// A field, or `undefined`.
fn field(object: &JsValue, name: &str) -> JsValue {
    Reflect::get(object, &name.into()).unwrap_or_default()
}

fn write(data: &impl serde::Serialize) -> Option<String> {
    serde_json::to_string(data)
        .inspect_err(|error| log::warn("native host", error))
        .ok()
}
