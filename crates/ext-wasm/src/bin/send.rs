//! The send tab: chooses files for one device, and shows how they fare.

use std::cell::{OnceCell, RefCell};
use std::rc::Rc;

use serde::Deserialize;
use tabferry_ext::chrome::{downloads, i18n};
use tabferry_ext::envelope::{NativeCommand, NativeShown};
use tabferry_ext::model::announcement::announcements;
use tabferry_ext::model::connection::ConnectionModel;
use tabferry_ext::model::device::DeviceModel;
use tabferry_ext::model::native;
use tabferry_ext::model::transfer::TransferModel;
use tabferry_ext::page::click::Click;
use tabferry_ext::page::engine::Engine;
use tabferry_ext::page::handover::Handover;
use tabferry_ext::view::dom::{self, Listener, by_id, flag, set_icon, set_text, show};
use tabferry_ext::view::drop::{Dropped, dropped, files, holds_files};
use tabferry_ext::view::list::List;
use tabferry_ext::view::notice::Notice;
use tabferry_ext::view::transfer::TransferRow;
use tabferry_protocol::host::{Command, ConnectionView, DeviceView, Snapshot};
use tabferry_protocol::id::DeviceId;
use web_sys::{Element, Event, File, HtmlInputElement, UrlSearchParams};

thread_local! {
    /// Keeps the page alive.
    static SEND_TAB: OnceCell<Rc<SendTab>> = const { OnceCell::new() };
}

fn main() {
    dom::localize();
    let Some(to) = device_of_the_address() else {
        show(&by_id("problem"), true);
        set_text(&by_id("state"), &i18n::message("device_gone_unnamed", &[]));
        set_text(
            &by_id("advice"),
            &i18n::message("device_unknown_advice", &[]),
        );
        return;
    };
    // Fails where a browser has no BroadcastChannel; the manifest asks for a newer one.
    let Ok(handover) = Handover::open() else {
        return;
    };
    let tab = Rc::new_cyclic(|this: &std::rc::Weak<SendTab>| {
        let (shown, lost) = (this.clone(), this.clone());
        SendTab {
            to,
            engine: Engine::new(
                move |mut now: Shown| {
                    if let Some(tab) = shown.upgrade() {
                        if let Some(daemon) = now.native.snapshot {
                            native::add(&mut now.snapshot, daemon);
                        }
                        tab.show(now.snapshot);
                    }
                },
                move || {
                    if let Some(tab) = lost.upgrade() {
                        tab.show_lost();
                    }
                },
            ),
            handover,
            notice: Notice::new(),
            state: RefCell::new(State {
                snapshot: None,
                device: None,
                transfers: List::new("transfers"),
            }),
            listeners: RefCell::default(),
        }
    });
    tab.listen();
    tab.engine.connect();
    SEND_TAB.with(|page| page.set(tab).ok());
}

fn device_of_the_address() -> Option<DeviceId> {
    let query = dom::window().location().search().ok()?;
    let parameters = UrlSearchParams::new_with_str(&query).ok()?;
    parameters.get("to")?.parse().ok()
}

/// What this page reads of what it is shown.
#[derive(Deserialize)]
struct Shown {
    snapshot: Snapshot,
    native: NativeShown,
}

struct SendTab {
    to: DeviceId,
    engine: Rc<Engine<Shown>>,
    handover: Handover,
    notice: Notice,
    state: RefCell<State>,
    listeners: RefCell<Vec<Listener>>,
}

struct State {
    snapshot: Option<Snapshot>,
    /// The device as it was last seen.
    device: Option<DeviceView>,
    transfers: List<TransferRow>,
}

impl SendTab {
    fn show(&self, mut snapshot: Snapshot) {
        let mut state = self.state.borrow_mut();
        let words = &i18n::message;
        // This page is about one device only.
        snapshot.devices.retain(|device| device.id == self.to);
        snapshot.incoming.clear();
        snapshot.items.clear();
        let transfers = &mut snapshot.transfers;
        transfers.retain(|transfer| transfer.device.id == self.to);
        if let Some(before) = &state.snapshot {
            self.notice
                .announce(&announcements(before, &snapshot, words));
        }
        let transfers = snapshot.transfers.iter();
        let transfers = transfers.map(|transfer| TransferModel::new(transfer, words));
        state.transfers.show(transfers.collect());
        show(state.transfers.section(), !snapshot.transfers.is_empty());

        let here = snapshot.devices.first().cloned();
        let near = here.is_some();
        state.device = here.or_else(|| state.device.take());
        self.show_device(&state, near, snapshot.connection);
        state.snapshot = Some(snapshot);
    }

    fn show_device(&self, state: &State, near: bool, connection: ConnectionView) {
        let words = &i18n::message;
        if let Some(device) = &state.device {
            let model = DeviceModel::new(device, words);
            let heading = i18n::message("send_heading", &[&model.name]);
            dom::document().set_title(&heading);
            set_text(&by_id("heading"), &heading);
            set_icon(&by_id("device-icon"), model.icon);
        }
        let (title, advice) = match (near, ConnectionModel::new(connection, words).problem) {
            (true, _) => (String::new(), String::new()),
            (false, Some(problem)) => (problem.title, problem.advice),
            (false, None) if connection == ConnectionView::Connecting => {
                (i18n::message("device_waiting", &[]), String::new())
            }
            (false, None) => {
                let title = match &state.device {
                    Some(device) => i18n::message("device_gone", &[device.name.as_str()]),
                    None => i18n::message("device_gone_unnamed", &[]),
                };
                (title, i18n::message("device_gone_advice", &[]))
            }
        };
        self.show_state(near, &title, &advice);
    }

    fn show_lost(&self) {
        let problem = ConnectionModel::without_engine(&i18n::message).problem;
        if let Some(problem) = problem {
            self.show_state(false, &problem.title, &problem.advice);
        }
        if self.handover.give_up() {
            self.notice.say(&i18n::message("files_not_taken", &[]));
        }
    }

    fn show_state(&self, ready: bool, title: &str, advice: &str) {
        show(&by_id("problem"), !ready);
        set_text(&by_id("state"), title);
        set_text(&by_id("advice"), advice);
        let input: HtmlInputElement = by_id("files");
        input.set_disabled(!ready);
    }

    fn listen(self: &Rc<Self>) {
        let mut listeners = Vec::new();
        let mut on = |target: &Element, kind, handle: fn(&Rc<Self>, Event)| {
            let tab = Rc::downgrade(self);
            listeners.push(Listener::new(target, kind, move |event| {
                if let Some(tab) = tab.upgrade() {
                    handle(&tab, event);
                }
            }));
        };
        if let Some(body) = dom::document().body() {
            on(&body, "click", |tab, event| tab.clicked(&event));
            on(&body, "dragover", |_, event| {
                if holds_files(&event) {
                    event.prevent_default();
                    mark_zone(true);
                }
            });
            on(&body, "dragleave", |_, _| mark_zone(false));
            on(&body, "drop", |tab, event| tab.dropped(&event));
        }
        on(&by_id("files"), "change", |tab, _| tab.chosen());
        self.listeners.replace(listeners);
    }

    fn clicked(&self, event: &Event) {
        match Click::of(event) {
            Some(Click::Command(command)) => self.engine.command(&command),
            Some(Click::Show(download)) => downloads::show(download),
            Some(Click::ShowNative(transfer)) => {
                let show = NativeCommand::ShowInFolder { transfer };
                self.engine.ask_native(&show);
            }
            Some(Click::TryAgain) => {
                self.engine.command(&Command::Reconnect);
                if self.state.borrow().snapshot.is_none() {
                    self.engine.connect();
                }
            }
            _ => {}
        }
    }

    fn chosen(&self) {
        let input: HtmlInputElement = by_id("files");
        let chosen = files(input.files());
        if !chosen.is_empty() {
            self.send(&chosen);
        }
        // So that the same files can be chosen again.
        input.set_value("");
    }

    fn dropped(&self, event: &Event) {
        event.prevent_default();
        mark_zone(false);
        if by_id::<HtmlInputElement>("files").disabled() {
            return;
        }
        match dropped(event) {
            Dropped::Files(files) => self.send(&files),
            Dropped::Folder => self.notice.say(&i18n::message("folder_refused", &[])),
            Dropped::Nothing => {}
        }
    }

    fn send(&self, files: &[File]) {
        let state = self.state.borrow();
        let name = state.device.as_ref().map(|device| device.name.as_str());
        let name = name.unwrap_or_default().to_owned();
        let count = files.len();
        let taken = move || {
            let text = match count {
                1 => i18n::message("files_sending_one", &[&name]),
                count => i18n::message("files_sending_many", &[&count.to_string(), &name]),
            };
            Notice::new().say(&text);
        };
        if self.handover.send(self.to, files, taken).is_err() {
            self.notice.say(&i18n::message("files_not_taken", &[]));
        }
    }
}

fn mark_zone(marked: bool) {
    flag(&by_id("zone"), "data-drop", marked);
}
