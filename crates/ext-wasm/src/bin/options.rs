//! The settings: this device's name, the signaling server and the paired devices, changed as soon as they are entered.

use std::cell::{Cell, OnceCell, RefCell};
use std::rc::Rc;

use serde::Deserialize;
use tabferry_ext::chrome::storage::Area;
use tabferry_ext::chrome::{commands, i18n, runtime, tabs};
use tabferry_ext::model::address::base_url;
use tabferry_ext::model::device::icon_of;
use tabferry_ext::model::paired::{LIMITS, PairedModel};
use tabferry_ext::page::engine::{Engine, ensure_engine};
use tabferry_ext::page::server::look_at;
use tabferry_ext::settings::{DEFAULT_SERVER, DEVICE_NAME, SERVER};
use tabferry_ext::view::dom::{self, Listener, by_id, set, set_text, show, window};
use tabferry_ext::view::list::List;
use tabferry_ext::view::paired::PairedRow;
use tabferry_protocol::card::{DeviceCard, DeviceName};
use tabferry_protocol::host::{PairedView, TrustCommand};
use tabferry_protocol::id::DeviceId;
use tabferry_protocol::limits::DEVICE_NAME_BYTES;
use tabferry_protocol::paired::AutoAccept;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::spawn_local;
use web_sys::{Element, Event, HtmlInputElement, HtmlSelectElement, Url};

/// Where the browser lets a person change shortcuts.
const SHORTCUTS_URL: &str = "chrome://extensions/shortcuts";

/// An address is tried once nobody has typed for this long. Milliseconds.
const TYPING_PAUSE_MS: i32 = 400;

thread_local! {
    /// Keeps the page alive.
    static OPTIONS: OnceCell<Rc<Options>> = const { OnceCell::new() };
}

fn main() {
    dom::localize();
    let version = i18n::message("about_version", &[&runtime::version()]);
    set_text(&by_id("version"), &version);
    let options = Rc::new_cyclic(|this: &std::rc::Weak<Options>| {
        let (pause, shown) = (this.clone(), this.clone());
        Options {
            engine: Engine::new(
                move |now: Shown| {
                    if let Some(options) = shown.upgrade() {
                        options.show(&now);
                    }
                },
                || {},
            ),
            paired: RefCell::new(List::new("paired")),
            name: by_id("device-name"),
            server: by_id("server"),
            tries: Cell::new(0),
            timer: Cell::new(None),
            on_pause: Closure::new(move || {
                if let Some(options) = pause.upgrade() {
                    spawn_local(async move { options.try_server().await });
                }
            }),
            listeners: RefCell::default(),
        }
    });
    options.listen();
    let loading = Rc::clone(&options);
    spawn_local(async move { loading.load().await });
    spawn_local(show_shortcut());
    OPTIONS.with(|page| page.set(options).ok());
}

/// What this page reads of what it is shown.
#[derive(Deserialize)]
struct Shown {
    snapshot: Own,
    trust: Trust,
}

#[derive(Deserialize)]
struct Own {
    device: Option<DeviceCard>,
}

#[derive(Deserialize)]
struct Trust {
    paired: Vec<PairedView>,
}

struct Options {
    engine: Rc<Engine<Shown>>,
    paired: RefCell<List<PairedRow>>,
    name: HtmlInputElement,
    server: HtmlInputElement,
    /// Counts the tries of a server, so that only the last one is shown.
    tries: Cell<u32>,
    timer: Cell<Option<i32>>,
    on_pause: Closure<dyn FnMut()>,
    listeners: RefCell<Vec<Listener>>,
}

impl Options {
    async fn load(&self) {
        // The service worker draws the first name. Where it can't, the fields stay empty and can be filled.
        let _ = ensure_engine().await;
        self.engine.connect();
        let name = Area::Local.get(DEVICE_NAME).await.ok().flatten();
        self.name.set_value(&name.unwrap_or_default());
        let server = Area::Local.get(SERVER).await.ok().flatten();
        self.server
            .set_value(server.as_deref().unwrap_or(DEFAULT_SERVER));
        for field in [&self.name, &self.server] {
            field.set_disabled(false);
        }
        self.try_server().await;
    }

    fn show(&self, shown: &Shown) {
        if let Some(device) = &shown.snapshot.device {
            let spelled = i18n::message("own_id", &[&device.id.spelled()]);
            set_text(&by_id("own-id"), &spelled);
        }
        let paired = shown.trust.paired.iter();
        let models = paired.map(|paired| PairedModel::new(paired, icon_of(paired.device.kind)));
        self.paired.borrow_mut().show(models.collect());
        show(&by_id("paired-none"), shown.trust.paired.is_empty());
    }

    /// Something about a paired device was changed.
    fn changed(&self, event: &Event) {
        let Some(target) = event.target() else { return };
        let device = |attribute| -> Option<DeviceId> {
            let element: &Element = target.unchecked_ref();
            element.get_attribute(attribute)?.parse().ok()
        };
        if let Some(device) = device("data-rename") {
            let field: &HtmlInputElement = target.unchecked_ref();
            if let Ok(name) = DeviceName::from_typed(&field.value()) {
                field.set_value(name.as_str());
                self.engine.decide(&TrustCommand::Rename { device, name });
            }
        } else if let Some(device) = device("data-files") {
            let choice: &HtmlSelectElement = target.unchecked_ref();
            let index = choice.value().parse::<usize>().ok();
            let files = index
                .and_then(|index| index.checked_sub(1))
                .and_then(|index| LIMITS.get(index).copied());
            let auto_accept = AutoAccept {
                files,
                ..AutoAccept::default()
            };
            self.engine.decide(&TrustCommand::SetAutoAccept {
                device,
                auto_accept,
            });
        }
    }

    /// A paired device is to be removed, if it was that button.
    fn clicked(&self, event: &Event) {
        let button = event
            .target()
            .and_then(|target| target.dyn_into::<Element>().ok())
            .and_then(|target| target.closest("[data-click=unpair]").ok()?);
        let Some(button) = button else { return };
        let id = button.get_attribute("data-id").unwrap_or_default();
        let question = i18n::message("paired_remove_question", &[]);
        if let Ok(device) = id.parse()
            && window().confirm_with_message(&question).unwrap_or(false)
        {
            self.engine.decide(&TrustCommand::Unpair { device });
        }
    }

    fn listen(self: &Rc<Self>) {
        let mut listeners = Vec::new();
        let mut on_event = |target: &Element, kind, handle: fn(Rc<Self>, Event)| {
            let options = Rc::downgrade(self);
            listeners.push(Listener::new(target, kind, move |event| {
                if let Some(options) = options.upgrade() {
                    handle(options, event);
                }
            }));
        };
        let paired: Element = by_id("paired");
        on_event(&paired, "change", |options, event| options.changed(&event));
        on_event(&paired, "click", |options, event| options.clicked(&event));
        let mut on = |target: &Element, kind, handle: fn(Rc<Self>)| {
            let options = Rc::downgrade(self);
            listeners.push(Listener::new(target, kind, move |_| {
                if let Some(options) = options.upgrade() {
                    handle(options);
                }
            }));
        };
        on(&self.name, "input", |options| {
            show_status("name-status", &options.name, "", "");
        });
        on(&self.name, "change", |options| {
            spawn_local(async move { options.save_name().await });
        });
        on(&self.server, "input", |options| options.typed());
        on(&self.server, "change", |options| {
            spawn_local(async move { options.save_server().await });
        });
        on(&by_id("shortcut-button"), "click", |_| {
            spawn_local(async move {
                // Fails only where no tab can be opened: then a person sees none.
                let _ = tabs::open(SHORTCUTS_URL).await;
            });
        });
        self.listeners.replace(listeners);
    }

    async fn save_name(&self) {
        let typed = self.name.value();
        let Ok(name) = DeviceName::from_typed(&typed) else {
            let text = i18n::message("name_invalid", &[]);
            show_status("name-status", &self.name, "bad", &text);
            return;
        };
        let saved = Area::Local.set(&[(DEVICE_NAME, name.as_str())]).await;
        self.name.set_value(name.as_str());
        let (state, text) = match saved {
            Err(_) => ("bad", i18n::message("save_failed", &[])),
            Ok(()) if typed.trim().len() > DEVICE_NAME_BYTES => {
                let limit = DEVICE_NAME_BYTES.to_string();
                ("good", i18n::message("name_cut", &[name.as_str(), &limit]))
            }
            Ok(()) => ("good", i18n::message("saved", &[])),
        };
        show_status("name-status", &self.name, state, &text);
    }

    /// Tries the address when the typing pauses.
    fn typed(&self) {
        set_text(&by_id("server-saved"), "");
        if let Some(timer) = self.timer.take() {
            window().clear_timeout_with_handle(timer);
        }
        // What was said is about another address.
        self.tries.set(self.tries.get().wrapping_add(1));
        show_status("server-status", &self.server, "", "");
        let function = self.on_pause.as_ref().unchecked_ref();
        let timer = window()
            .set_timeout_with_callback_and_timeout_and_arguments_0(function, TYPING_PAUSE_MS);
        self.timer.set(timer.ok());
    }

    async fn try_server(&self) {
        let number = self.tries.get().wrapping_add(1);
        self.tries.set(number);
        let words = &i18n::message;
        let status = |state, text: &str| show_status("server-status", &self.server, state, text);
        let Ok(base) = base_url(&self.server.value()) else {
            status("bad", &words("server_invalid", &[]));
            return;
        };
        status("", &words("server_checking", &[]));
        let verdict = look_at(&base).await;
        if self.tries.get() != number {
            return;
        }
        match verdict {
            Some(verdict) => status(verdict.state(), &verdict.text(words)),
            None => status("bad", &words("server_invalid", &[])),
        }
    }

    async fn save_server(&self) {
        let base = base_url(&self.server.value()).ok();
        let Some(base) = base.filter(|base| Url::new(base).is_ok()) else {
            let text = i18n::message("server_invalid", &[]);
            show_status("server-status", &self.server, "bad", &text);
            return;
        };
        self.server.set_value(&base);
        let saved = Area::Local.set(&[(SERVER, &base)]).await;
        let key = if saved.is_ok() {
            "saved"
        } else {
            "save_failed"
        };
        set_text(&by_id("server-saved"), &i18n::message(key, &[]));
    }
}

async fn show_shortcut() {
    let shortcut = commands::popup_shortcut().await.ok().flatten();
    let text = match shortcut {
        Some(keys) => i18n::message("shortcut_set", &[&keys]),
        None => i18n::message("shortcut_unset", &[]),
    };
    set_text(&by_id("shortcut"), &text);
}

/// Says under a field how it stands with what is in it.
fn show_status(id: &str, field: &HtmlInputElement, state: &str, text: &str) {
    let status: Element = by_id(id);
    set(&status, "data-state", state);
    set_text(&status, text);
    set(
        field,
        "aria-invalid",
        if state == "bad" { "true" } else { "false" },
    );
}
