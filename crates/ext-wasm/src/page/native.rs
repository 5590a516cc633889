//! The settings' section for the native host: a switch, how it stands, and what a person can do about it.

use core::cell::{Cell, RefCell};
use core::fmt;
use std::rc::{Rc, Weak};

use wasm_bindgen_futures::{JsFuture, spawn_local};
use web_sys::{Element, Event, HtmlInputElement};

use crate::chrome::storage::Area;
use crate::chrome::{i18n, permissions, runtime};
use crate::envelope::{NativeCommand, NativeState};
use crate::model::native::{NativeModel, System};
use crate::settings::{NATIVE, ON};
use crate::view::dom::{Listener, by_id, leave, set, set_text, show, window};

/// What an extension needs to reach native hosts.
const PERMISSION: &str = "nativeMessaging";

/// See the module.
pub struct NativeSection {
    switch: HtmlInputElement,
    system: System,
    state: RefCell<NativeState>,
    /// What a person is told or asked in place of the state, until the next click.
    instead: Cell<Option<Instead>>,
    ask: Box<dyn Fn(NativeCommand)>,
    listeners: RefCell<Vec<Listener>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Instead {
    /// The browser was not allowed.
    Denied,
    /// What shall the app do when this is turned off?
    Leaving,
    /// The choice could not be kept.
    NotSaved,
}

impl NativeSection {
    /// The page's own. `ask` passes a command on.
    pub fn new(ask: impl Fn(NativeCommand) + 'static) -> Rc<Self> {
        let platform = window().navigator().platform().unwrap_or_default();
        let section = Rc::new(Self {
            switch: by_id("native"),
            system: System::of(&platform),
            state: RefCell::default(),
            instead: Cell::new(None),
            ask: Box::new(ask),
            listeners: RefCell::default(),
        });
        section.listen();
        section
    }

    /// Shows what is kept, and lets it be changed.
    pub async fn load(&self) {
        let kept = Area::Local.get(NATIVE).await.ok().flatten();
        self.switch.set_checked(kept.as_deref() == Some(ON));
        self.switch.set_disabled(false);
    }

    /// It stands like this now.
    pub fn show(&self, state: NativeState) {
        if self.instead.get() == Some(Instead::Leaving) && !is_connected(&state) {
            self.instead.set(None);
            // The question was how to turn it off, and it is not.
            self.switch.set_checked(true);
        }
        self.state.replace(state);
        self.draw();
    }

    fn draw(&self) {
        let words = &i18n::message;
        let leaving = self.instead.get() == Some(Instead::Leaving);
        let model = match self.instead.get() {
            Some(Instead::Denied) => NativeModel::denied(words),
            Some(Instead::Leaving) => NativeModel::leaving(words),
            Some(Instead::NotSaved) => NativeModel::not_saved(words),
            None => NativeModel::new(
                &self.state.borrow(),
                self.system,
                &runtime::version(),
                words,
            ),
        };
        let status: Element = by_id("native-status");
        set(&status, "data-state", model.state);
        set_text(&status, &model.status);
        let advice: Element = by_id("native-advice");
        show(&advice, model.advice.is_some());
        set_text(&advice, model.advice.as_deref().unwrap_or_default());
        let command: Element = by_id("native-command");
        if command.text_content().as_deref() != model.command {
            set_text(&command, model.command.unwrap_or_default());
            set_text(&by_id("native-copied"), "");
        }
        let heading: Element = by_id("native-heading");
        for (id, shown) in [
            ("native-steps", model.steps),
            ("native-command-row", model.command.is_some()),
            ("native-sandbox", model.sandbox),
            ("native-again", model.again),
            ("native-join", model.join),
            ("native-leave", model.join),
            ("native-forget", leaving),
            ("native-keep", leaving),
        ] {
            let element: Element = by_id(id);
            if !shown {
                leave(&element, &heading);
            }
            show(&element, shown);
        }
    }

    fn listen(self: &Rc<Self>) {
        let mut listeners = Vec::new();
        let mut on = |id, kind, handle: fn(Rc<Self>)| {
            let section = Rc::downgrade(self);
            let target: Element = by_id(id);
            listeners.push(Listener::new(&target, kind, move |_: Event| {
                if let Some(section) = Weak::upgrade(&section) {
                    handle(section);
                }
            }));
        };
        on("native", "change", Self::switched);
        on("native-again", "click", |section| {
            (section.ask)(NativeCommand::TryAgain);
        });
        on("native-join", "click", |section| {
            (section.ask)(NativeCommand::Adopt);
        });
        on("native-leave", "click", Self::turn_off);
        on("native-keep", "click", Self::turn_off);
        on("native-forget", "click", |section| {
            (section.ask)(NativeCommand::Forget);
            section.turn_off();
        });
        on("native-copy", "click", |_| {
            spawn_local(async {
                let command: Element = by_id("native-command");
                let clipboard = window().navigator().clipboard();
                let text = command.text_content().unwrap_or_default();
                let copied = JsFuture::from(clipboard.write_text(&text)).await;
                let key = if copied.is_ok() {
                    "copied"
                } else {
                    "copy_failed"
                };
                set_text(&by_id("native-copied"), &i18n::message(key, &[]));
            });
        });
        self.listeners.replace(listeners);
    }

    fn switched(self: Rc<Self>) {
        self.instead.set(None);
        if self.switch.checked() {
            // In the click itself.
            let asked = permissions::request(PERMISSION);
            spawn_local(async move {
                if asked.await.unwrap_or(false) {
                    if !is_connected(&self.state.borrow()) {
                        // Until more is known.
                        self.state.replace(NativeState::Connecting);
                    }
                    self.keep(true).await;
                } else {
                    self.switch.set_checked(false);
                    self.instead.set(Some(Instead::Denied));
                }
                self.draw();
            });
        } else if is_connected(&self.state.borrow()) {
            self.instead.set(Some(Instead::Leaving));
            self.draw();
        } else {
            self.clone().turn_off();
        }
    }

    fn turn_off(self: Rc<Self>) {
        self.instead.set(None);
        self.switch.set_checked(false);
        spawn_local(async move {
            self.keep(false).await;
            self.draw();
        });
    }

    /// Keeps the choice; the service worker sees to the rest.
    async fn keep(&self, on: bool) {
        let kept = if on {
            Area::Local.set(&[(NATIVE, ON)]).await
        } else {
            Area::Local.remove(NATIVE).await
        };
        if kept.is_err() {
            self.switch.set_checked(!on);
            self.instead.set(Some(Instead::NotSaved));
        }
    }
}

impl fmt::Debug for NativeSection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NativeSection").finish_non_exhaustive()
    }
}

fn is_connected(state: &NativeState) -> bool {
    matches!(state, NativeState::Connected { .. })
}
