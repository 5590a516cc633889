//! The settings: this device's name, who can find it, who saves files, the signaling server, the paired devices and the
//! groups, changed as soon as they are entered.

use std::cell::{Cell, OnceCell, RefCell};
use std::rc::Rc;

use serde::Deserialize;
use tabferry_ext::chrome::storage::Area;
use tabferry_ext::chrome::{commands, i18n, runtime, tabs};
use tabferry_ext::envelope::NativeState;
use tabferry_ext::model::address::base_url;
use tabferry_ext::model::device::icon_of;
use tabferry_ext::model::group::{self, GroupModel, NotAdded};
use tabferry_ext::model::paired::{Change, PairedModel};
use tabferry_ext::page::engine::{Engine, ensure_engine};
use tabferry_ext::page::groups;
use tabferry_ext::page::native::NativeSection;
use tabferry_ext::page::server::look_at;
use tabferry_ext::settings::{DEVICE_NAME, SERVER, VISIBILITY, visibility_of, visibility_word};
use tabferry_ext::view::dom::{self, Listener, by_id, flag, leave, set, set_text, show, window};
use tabferry_ext::view::group::GroupRow;
use tabferry_ext::view::list::List;
use tabferry_ext::view::paired::PairedRow;
use tabferry_protocol::card::{DeviceCard, DeviceName};
use tabferry_protocol::host::{GroupView, PairedView, TrustCommand, Visible};
use tabferry_protocol::id::DeviceId;
use tabferry_protocol::limits::{self, DEVICE_NAME_BYTES};
use tabferry_protocol::secret_code::GroupCode;
use tabferry_protocol::signaling_address::DEFAULT_SERVER;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::{JsFuture, spawn_local};
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
    let per_minute = limits::UNASKED_ITEMS_PER_MINUTE.to_string();
    let per_hour = limits::UNASKED_ITEMS_PER_HOUR.to_string();
    let unasked = i18n::message("paired_limits", &[&per_minute, &per_hour]);
    set_text(&by_id("paired-limits"), &unasked);
    set_text(&by_id("groups-full"), &group::full(&i18n::message));
    let options = Rc::new_cyclic(|this: &std::rc::Weak<Options>| {
        let (pause, shown, asked) = (this.clone(), this.clone(), this.clone());
        Options {
            engine: Engine::new(
                move |now: Shown| {
                    if let Some(options) = shown.upgrade() {
                        options.show(now);
                    }
                },
                || {},
            ),
            native: NativeSection::new(move |command| {
                if let Some(options) = asked.upgrade() {
                    options.engine.ask_native(&command);
                }
            }),
            paired: RefCell::new(List::new("paired")),
            known: RefCell::default(),
            groups: RefCell::new(List::new("groups")),
            group_code: by_id("group-code"),
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
    native: Native,
}

#[derive(Deserialize)]
struct Native {
    state: NativeState,
}

#[derive(Deserialize)]
struct Own {
    device: Option<DeviceCard>,
    visible: Visible,
}

#[derive(Deserialize)]
struct Trust {
    paired: Vec<PairedView>,
    groups: Vec<GroupView>,
}

struct Options {
    engine: Rc<Engine<Shown>>,
    native: Rc<NativeSection>,
    paired: RefCell<List<PairedRow>>,
    /// The paired devices as they were shown last, with what was changed since.
    known: RefCell<Vec<PairedView>>,
    groups: RefCell<List<GroupRow>>,
    group_code: HtmlInputElement,
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
        self.native.load().await;
        let name = Area::Local.get(DEVICE_NAME).await.ok().flatten();
        self.name.set_value(&name.unwrap_or_default());
        let server = Area::Local.get(SERVER).await.ok().flatten();
        self.server
            .set_value(server.as_deref().unwrap_or(DEFAULT_SERVER));
        let visibility = Area::Local.get(VISIBILITY).await.ok().flatten();
        let word = visibility_word(visibility_of(visibility.as_deref()));
        let chosen: HtmlInputElement = by_id(&["visibility-", word].concat());
        chosen.set_checked(true);
        flag(&by_id("visibility"), "disabled", false);
        for field in [&self.name, &self.server] {
            field.set_disabled(false);
        }
        self.try_server().await;
    }

    fn show(&self, shown: Shown) {
        self.native.show(shown.native.state);
        if let Some(device) = &shown.snapshot.device {
            let spelled = i18n::message("own_id", &[&device.id.spelled()]);
            let shown: Element = by_id("own-id");
            if shown
                .text_content()
                .is_some_and(|id| !id.is_empty() && id != spelled)
            {
                // This browser has become another device, with other settings. Fails only while the page closes.
                let _ = window().location().reload();
            }
            set_text(&shown, &spelled);
        }
        let Trust { paired, groups } = shown.trust;
        let models = paired.iter();
        let models = models.map(|paired| PairedModel::new(paired, icon_of(paired.device.kind)));
        self.paired.borrow_mut().show(models.collect());
        show(&by_id("paired-none"), paired.is_empty());
        show(&by_id("paired-limits"), !paired.is_empty());
        self.known.replace(paired);

        let visible = shown.snapshot.visible;
        let models = groups.iter();
        let models = models.map(|group| GroupModel::new(group, visible, &i18n::message));
        self.groups.borrow_mut().show(models.collect());
        let full = groups.len() >= limits::GROUPS;
        let ways: Element = by_id("groups-ways");
        if full {
            leave(&ways, &by_id("groups-heading"));
        }
        show(&ways, !full);
        show(&by_id("groups-full"), full);
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
            if let Ok(index) = choice.value().parse() {
                self.allow(device, Change::Files(index));
            }
        } else if let Some(device) = device("data-links") {
            let field: &HtmlInputElement = target.unchecked_ref();
            self.allow(device, Change::Links(field.checked()));
        } else if let Some(device) = device("data-texts") {
            let field: &HtmlInputElement = target.unchecked_ref();
            self.allow(device, Change::Texts(field.checked()));
        }
    }

    /// Lets a paired device do more or less than before.
    fn allow(&self, device: DeviceId, change: Change) {
        let mut known = self.known.borrow_mut();
        if let Some(known) = known.iter_mut().find(|known| known.device.id == device) {
            // At once: the next change may come before this one is shown.
            known.auto_accept = change.of(known.auto_accept);
            self.engine.decide(&TrustCommand::SetAutoAccept {
                device,
                auto_accept: known.auto_accept,
            });
        }
    }

    /// A paired device is to be removed, if it was that button.
    fn clicked(&self, event: &Event) {
        let Some((_, id)) = clicked_button(event) else {
            return;
        };
        let question = i18n::message("paired_remove_question", &[]);
        if let Ok(device) = id.parse()
            && window().confirm_with_message(&question).unwrap_or(false)
        {
            self.engine.decide(&TrustCommand::Unpair { device });
        }
    }

    /// The code of a group is to be copied, or the group to be left.
    async fn group_clicked(&self, event: &Event) {
        let Some((click, id)) = clicked_button(event) else {
            return;
        };
        let Ok(code) = id.parse::<GroupCode>() else {
            return;
        };
        let (done, good, bad) = if click == "copy" {
            let clipboard = window().navigator().clipboard();
            let copied = JsFuture::from(clipboard.write_text(&code.spelled())).await;
            (copied.is_ok(), "copied", "copy_failed")
        } else {
            let left = groups::leave(code).await;
            (left.is_some(), "group_left", "save_failed")
        };
        let (state, key) = if done { ("good", good) } else { ("bad", bad) };
        self.say_of_group(state, &i18n::message(key, &[]));
    }

    async fn create_group(&self) {
        self.say_whether_added(groups::create().await, "group_created");
    }

    async fn join_group(&self) {
        let joined = groups::join(&self.group_code.value()).await;
        if joined.is_ok() {
            self.group_code.set_value("");
        }
        self.say_whether_added(joined, "group_added");
    }

    fn say_whether_added(&self, added: Result<GroupCode, NotAdded>, key: &str) {
        match added {
            Ok(code) => {
                let text = i18n::message(key, &[&code.spelled()]);
                self.say_of_group("good", &text);
            }
            Err(reason) => {
                self.say_of_group("bad", &reason.text(&i18n::message));
                let typed = matches!(reason, NotAdded::Mistyped(_));
                mark_invalid(&self.group_code, typed);
            }
        }
    }

    fn say_of_group(&self, state: &str, text: &str) {
        say("group-status", state, text);
        mark_invalid(&self.group_code, false);
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
        on_event(&by_id("groups"), "click", |options, event| {
            spawn_local(async move { options.group_clicked(&event).await });
        });
        on_event(&by_id("group-form"), "submit", |options, event| {
            event.prevent_default();
            spawn_local(async move { options.join_group().await });
        });
        on_event(&by_id("visibility"), "change", |_, event| {
            spawn_local(async move { save_visibility(&event).await });
        });
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
        on(&self.group_code, "input", |options| {
            options.say_of_group("", "")
        });
        on(&by_id("group-create"), "click", |options| {
            spawn_local(async move { options.create_group().await });
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

/// Keeps the choice of who can find this device.
async fn save_visibility(event: &Event) {
    let Some(target) = event.target() else { return };
    let chosen: &HtmlInputElement = target.unchecked_ref();
    let saved = Area::Local.set(&[(VISIBILITY, &chosen.value())]).await;
    let (state, key) = if saved.is_ok() {
        ("good", "saved")
    } else {
        ("bad", "save_failed")
    };
    say("visibility-status", state, &i18n::message(key, &[]));
}

/// What the button that was clicked means, and about what; see [`dom::button`].
fn clicked_button(event: &Event) -> Option<(String, String)> {
    let target = event.target()?.dyn_into::<Element>().ok()?;
    let button = target.closest("[data-click]").ok()??;
    let click = button.get_attribute("data-click")?;
    Some((click, button.get_attribute("data-id")?))
}

/// Says under a field how it stands with what is in it.
fn show_status(id: &str, field: &HtmlInputElement, state: &str, text: &str) {
    say(id, state, text);
    mark_invalid(field, state == "bad");
}

fn say(id: &str, state: &str, text: &str) {
    let status: Element = by_id(id);
    set(&status, "data-state", state);
    set_text(&status, text);
}

fn mark_invalid(field: &HtmlInputElement, invalid: bool) {
    set(
        field,
        "aria-invalid",
        if invalid { "true" } else { "false" },
    );
}
