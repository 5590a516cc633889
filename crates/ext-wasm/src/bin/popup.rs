//! The popup: shows one snapshot after the other and turns clicks into commands. It owns no transfer: it may close at
//! any time.

use std::cell::{OnceCell, RefCell};
use std::rc::Rc;

use serde::Deserialize;
use serde::de::IgnoredAny;
use tabferry_ext::chrome::tabs::{self, Tab};
use tabferry_ext::chrome::{downloads, i18n, runtime};
use tabferry_ext::envelope::{NativeCommand, NativeShown};
use tabferry_ext::model::announcement::announcements;
use tabferry_ext::model::connection::ConnectionModel;
use tabferry_ext::model::device::DeviceModel;
use tabferry_ext::model::item::ItemModel;
use tabferry_ext::model::native;
use tabferry_ext::model::proposal::ProposalModel;
use tabferry_ext::model::transfer::TransferModel;
use tabferry_ext::model::visible::VisibleModel;
use tabferry_ext::page::click::Click;
use tabferry_ext::page::engine::Engine;
use tabferry_ext::page::handover::Handover;
use tabferry_ext::view::device::DeviceRow;
use tabferry_ext::view::dom::{self, Listener, by_id, flag, focus, leave, set, set_text, show};
use tabferry_ext::view::drop::{Dropped, dropped, holds_files};
use tabferry_ext::view::item::ItemRow;
use tabferry_ext::view::list::List;
use tabferry_ext::view::notice::Notice;
use tabferry_ext::view::proposal::ProposalRow;
use tabferry_ext::view::transfer::TransferRow;
use tabferry_protocol::host::{Command, ConnectionView, PlainItem, Snapshot};
use tabferry_protocol::id::{DeviceId, ItemId};
use tabferry_protocol::limits::TEXT_BYTES;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::{JsFuture, spawn_local};
use web_sys::{Element, Event, File, FilePropertyBag, HtmlTextAreaElement, KeyboardEvent};

thread_local! {
    /// Keeps the page alive.
    static POPUP: OnceCell<Rc<Popup>> = const { OnceCell::new() };
}

fn main() {
    dom::localize();
    // Fails where a browser has no BroadcastChannel; the manifest asks for a newer one.
    let Ok(handover) = Handover::open() else {
        return;
    };
    let popup = Rc::new_cyclic(|this: &std::rc::Weak<Popup>| {
        let (shown, lost) = (this.clone(), this.clone());
        Popup {
            engine: Engine::new(
                move |mut now: Shown| {
                    if let Some(popup) = shown.upgrade() {
                        show_trust(&now.trust);
                        let saved_by = native::saved_by(&now.native.state, &i18n::message);
                        set_text(&by_id("saved-by"), &saved_by);
                        show(&by_id("saved-by"), true);
                        if let Some(daemon) = now.native.snapshot {
                            native::add(&mut now.snapshot, daemon);
                        }
                        popup.show(now.snapshot);
                    }
                },
                move || {
                    if let Some(popup) = lost.upgrade() {
                        popup.show_lost();
                    }
                },
            ),
            handover,
            notice: Notice::new(),
            state: RefCell::new(State::new()),
            listeners: RefCell::default(),
        }
    });
    popup.listen();
    popup.engine.connect();
    POPUP.with(|page| page.set(popup).ok());
}

/// What this page reads of what it is shown.
#[derive(Deserialize)]
struct Shown {
    snapshot: Snapshot,
    trust: Trust,
    native: NativeShown,
}

#[derive(Deserialize)]
struct Trust {
    pairing: Option<IgnoredAny>,
    code: Option<IgnoredAny>,
}

/// What leads to the pages for these.
fn show_trust(trust: &Trust) {
    show(&by_id("pairing"), trust.pairing.is_some());
    show(&by_id("code"), trust.code.is_some());
    show(&by_id("with-code"), trust.code.is_none());
}

struct Popup {
    engine: Rc<Engine<Shown>>,
    handover: Handover,
    notice: Notice,
    state: RefCell<State>,
    listeners: RefCell<Vec<Listener>>,
}

struct State {
    snapshot: Option<Snapshot>,
    /// The device that a text is being typed for, and its last name.
    text_to: Option<(DeviceId, String)>,
    /// The device that files are being dragged over.
    drop_target: Option<Element>,
    incoming: List<ProposalRow>,
    devices: List<DeviceRow>,
    transfers: List<TransferRow>,
    items: List<ItemRow>,
}

impl State {
    fn new() -> Self {
        Self {
            snapshot: None,
            text_to: None,
            drop_target: None,
            incoming: List::new("incoming"),
            devices: List::new("devices"),
            transfers: List::new("transfers"),
            items: List::new("received"),
        }
    }

    fn device_name(&self, id: DeviceId) -> Option<String> {
        let devices = &self.snapshot.as_ref()?.devices;
        let device = devices.iter().find(|device| device.id == id)?;
        Some(device.name.as_str().to_owned())
    }
}

impl Popup {
    fn show(&self, snapshot: Snapshot) {
        let mut state = self.state.borrow_mut();
        let words = &i18n::message;
        if let Some(before) = &state.snapshot {
            self.notice
                .announce(&announcements(before, &snapshot, words));
        }
        if let Some(device) = &snapshot.device {
            set_text(&by_id("own-name"), device.name.as_str());
        }
        show_connection(&ConnectionModel::new(snapshot.connection, words));

        let incoming = snapshot.incoming.iter();
        let incoming = incoming.map(|proposal| ProposalModel::new(proposal, words));
        state.incoming.show(incoming.collect());
        let devices = snapshot.devices.iter();
        let devices = devices.map(|device| DeviceModel::new(device, words));
        state.devices.show(devices.collect());
        let transfers = snapshot.transfers.iter();
        let transfers = transfers.map(|transfer| TransferModel::new(transfer, words));
        state.transfers.show(transfers.collect());
        let items = snapshot.items.iter();
        let items = items.map(|item| ItemModel::new(item, words));
        state.items.show(items.collect());

        show(state.incoming.section(), !snapshot.incoming.is_empty());
        show(state.transfers.section(), !snapshot.transfers.is_empty());
        show(state.items.section(), !snapshot.items.is_empty());
        let online = snapshot.connection == ConnectionView::Online;
        let none = snapshot.devices.is_empty();
        let visible = VisibleModel::new(&snapshot, words);
        show_visible(visible.as_ref());
        show(&by_id("no-devices"), none && online && visible.is_none());
        show(&by_id("devices-later"), none && !online);
        state.snapshot = Some(snapshot);
        show_text_form(&state);
    }

    fn show_lost(&self) {
        show_connection(&ConnectionModel::without_engine(&i18n::message));
        show(&by_id("devices-later"), true);
        if self.handover.give_up() {
            self.notice.say(&i18n::message("files_not_taken", &[]));
        }
    }

    fn listen(self: &Rc<Self>) {
        let document = dom::document();
        let mut listeners = Vec::new();
        let mut on = |target: &Element, kind, handle: fn(&Rc<Self>, Event)| {
            let popup = Rc::downgrade(self);
            listeners.push(Listener::new(target, kind, move |event| {
                if let Some(popup) = popup.upgrade() {
                    handle(&popup, event);
                }
            }));
        };
        if let Some(body) = document.body() {
            on(&body, "click", |popup, event| {
                if let Some(click) = Click::of(&event) {
                    let popup = Rc::clone(popup);
                    spawn_local(async move { popup.clicked(click).await });
                }
            });
            on(&body, "dragover", |popup, event| popup.dragged(&event));
            on(&body, "dragleave", |popup, _| popup.mark_target(None));
            on(&body, "drop", |popup, event| popup.dropped(&event));
        }
        on(&by_id("text-form"), "submit", |popup, event| {
            event.prevent_default();
            popup.send_text();
        });
        on(&by_id("text"), "keydown", |popup, event| {
            let key: &KeyboardEvent = event.unchecked_ref();
            if key.key() == "Enter" && (key.ctrl_key() || key.meta_key()) {
                event.prevent_default();
                popup.send_text();
            }
        });
        self.listeners.replace(listeners);
    }

    async fn clicked(&self, click: Click) {
        self.notice.say("");
        match click {
            Click::Command(command) => self.engine.command(&command),
            Click::SendPage(to) => self.send_page(to, tabs::active().await.ok().flatten()),
            Click::SendFiles(to) => {
                let url = runtime::url_of(&["send.html?to=", &to.to_string()].concat());
                open(&url, true).await;
            }
            Click::SendText(to) => self.type_text(to),
            Click::CancelText => self.end_text(),
            Click::Open(item) => {
                if let Some(url) = self.item(item).and_then(|item| item.url) {
                    open(&url, false).await;
                }
            }
            Click::Copy(item) => {
                if let Some(item) = self.item(item) {
                    let clipboard = dom::window().navigator().clipboard();
                    let copied = JsFuture::from(clipboard.write_text(&item.copied)).await;
                    let key = if copied.is_ok() {
                        "copied"
                    } else {
                        "copy_failed"
                    };
                    self.notice.say(&i18n::message(key, &[]));
                }
            }
            Click::Show(download) => downloads::show(download),
            Click::ShowNative(transfer) => {
                let show = NativeCommand::ShowInFolder { transfer };
                self.engine.ask_native(&show);
            }
            Click::Settings => {
                runtime::open_options_page();
                close();
            }
            Click::TryAgain => {
                let engine_runs = self.state.borrow().snapshot.is_some();
                self.engine.command(&Command::Reconnect);
                if !engine_runs {
                    self.engine.connect();
                }
            }
        }
    }

    fn send_page(&self, to: DeviceId, tab: Option<Tab>) {
        let url = tab.as_ref().and_then(|tab| tab.url.clone());
        let url = url.filter(|url| url.starts_with("http://") || url.starts_with("https://"));
        let (Some(url), Some(tab)) = (url, tab) else {
            self.notice.say(&i18n::message("page_not_sendable", &[]));
            return;
        };
        let title = tab.title.unwrap_or_default();
        let item = PlainItem::Page { url, title };
        self.engine.command(&Command::SendItem { to, item });
        self.say_to("page_sent", to);
    }

    fn type_text(&self, to: DeviceId) {
        let mut state = self.state.borrow_mut();
        let Some(name) = state.device_name(to) else {
            return;
        };
        state.text_to = Some((to, name));
        show_text_form(&state);
        focus(&by_id("text"));
    }

    fn send_text(&self) {
        let field: HtmlTextAreaElement = by_id("text");
        let text = field.value();
        let state = self.state.borrow();
        let Some((to, _)) = state.text_to.clone() else {
            return;
        };
        if text.trim().is_empty() || state.device_name(to).is_none() {
            return;
        }
        drop(state);
        if text.len() > TEXT_BYTES {
            let kind = FilePropertyBag::new();
            kind.set_type("text/plain");
            let parts = js_sys::Array::of1(&JsValue::from(text));
            let file = File::new_with_str_sequence_and_options(&parts, "text.txt", &kind);
            if let Ok(file) = file {
                self.send_files(to, &[file]);
            }
        } else {
            let item = PlainItem::Text { text };
            self.engine.command(&Command::SendItem { to, item });
        }
        self.end_text();
    }

    fn end_text(&self) {
        let field: HtmlTextAreaElement = by_id("text");
        field.set_value("");
        let mut state = self.state.borrow_mut();
        let to = state.text_to.take();
        show_text_form(&state);
        let button = to.and_then(|(to, _)| {
            let selector = ["[data-click=send-text][data-id=", &to.to_string(), "]"].concat();
            dom::document().query_selector(&selector).ok().flatten()
        });
        if let Some(button) = button {
            focus(&button);
        }
    }

    fn dropped(self: &Rc<Self>, event: &Event) {
        event.prevent_default();
        self.mark_target(None);
        let Some(to) = target(event).and_then(|device| device.get_attribute("data-device")) else {
            return;
        };
        let Ok(to) = to.parse() else { return };
        match dropped(event) {
            Dropped::Files(files) => self.send_files(to, &files),
            Dropped::Folder => self.notice.say(&i18n::message("folder_refused", &[])),
            Dropped::Nothing => {}
        }
    }

    fn send_files(&self, to: DeviceId, files: &[File]) {
        let name = self.state.borrow().device_name(to).unwrap_or_default();
        let count = files.len();
        let taken = move || {
            let text = match count {
                1 => i18n::message("files_sending_one", &[&name]),
                count => i18n::message("files_sending_many", &[&count.to_string(), &name]),
            };
            Notice::new().say(&text);
        };
        if self.handover.send(to, files, taken).is_err() {
            self.notice.say(&i18n::message("files_not_taken", &[]));
        }
    }

    fn say_to(&self, key: &str, to: DeviceId) {
        if let Some(name) = self.state.borrow().device_name(to) {
            self.notice.say(&i18n::message(key, &[&name]));
        }
    }

    fn item(&self, id: ItemId) -> Option<ItemModel> {
        let state = self.state.borrow();
        let mut items = state.snapshot.as_ref()?.items.iter();
        let item = items.find(|item| item.id == id)?;
        Some(ItemModel::new(item, &i18n::message))
    }

    fn dragged(&self, event: &Event) {
        if holds_files(event) {
            event.prevent_default();
            self.mark_target(target(event));
        }
    }

    fn mark_target(&self, target: Option<Element>) {
        let mut state = self.state.borrow_mut();
        if let Some(target) = &target {
            flag(target, "data-drop", true);
        }
        if let Some(old) = state.drop_target.take()
            && Some(&old) != target.as_ref()
        {
            flag(&old, "data-drop", false);
        }
        state.drop_target = target;
    }
}

fn show_connection(connection: &ConnectionModel) {
    let status: Element = by_id("status");
    set(&status, "data-state", connection.state);
    set_text(&by_id("status-words"), &connection.status);
    show(&by_id("problem"), connection.problem.is_some());
    if let Some(problem) = &connection.problem {
        set_text(&by_id("problem-title"), &problem.title);
        set_text(&by_id("problem-advice"), &problem.advice);
    }
}

fn show_visible(visible: Option<&VisibleModel>) {
    show(&by_id("visible"), visible.is_some());
    let crowded = visible.is_some_and(|visible| visible.crowded);
    let actions: Element = by_id("visible-actions");
    if !crowded {
        leave(&actions, &by_id("devices-heading"));
    }
    show(&actions, crowded);
    if let Some(visible) = visible {
        set_text(&by_id("visible-words"), &visible.words);
    }
}

fn show_text_form(state: &State) {
    show(&by_id("text-form"), state.text_to.is_some());
    let Some((to, last_name)) = &state.text_to else {
        return;
    };
    let name = state.device_name(*to);
    let heading = match &name {
        Some(name) => i18n::message("send_text_to", &[name]),
        None => i18n::message("device_gone", &[last_name]),
    };
    set_text(&by_id("text-heading"), &heading);
    // What was typed stays until the device is back.
    flag(&by_id("text-send"), "disabled", name.is_none());
}

/// The device that something is dragged over.
fn target(event: &Event) -> Option<Element> {
    let over = event.target()?.dyn_into::<Element>().ok()?;
    over.closest("[data-device]").ok()?
}

/// Opens a tab; the popup closes then, if it shall.
async fn open(url: &str, then_close: bool) {
    // Fails only where no tab can be opened: then a person sees none.
    if tabs::open(url).await.is_ok() && then_close {
        close();
    }
}

fn close() {
    // Fails in a tab that the extension did not open.
    let _ = dom::window().close();
}
