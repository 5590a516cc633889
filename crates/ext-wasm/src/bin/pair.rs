//! The pairing page, in the popup: asks the device named in its address, or goes on with the pairing under way. It owns
//! nothing: it may close at any time.

use std::cell::{Cell, OnceCell, RefCell};
use std::rc::Rc;

use serde::Deserialize;
use tabferry_ext::chrome::i18n;
use tabferry_ext::model::pairing::{PairingClick, PairingModel, Symbol};
use tabferry_ext::page::engine::Engine;
use tabferry_ext::page::step;
use tabferry_ext::view::dom::{
    self, Listener, by_id, child, element, set, set_label, set_text, show,
};
use tabferry_protocol::host::{PairingStep, PairingView, TrustCommand};
use tabferry_protocol::id::DeviceId;
use web_sys::{Element, UrlSearchParams};

thread_local! {
    /// Keeps the page alive.
    static PAGE: OnceCell<Rc<Page>> = const { OnceCell::new() };
}

fn main() {
    dom::localize();
    let page = Rc::new_cyclic(|this: &std::rc::Weak<Page>| {
        let shown = this.clone();
        Page {
            engine: Engine::new(
                move |now: Shown| {
                    if let Some(page) = shown.upgrade() {
                        page.show(&now.trust);
                    }
                },
                || step::say(&i18n::message("problem_engine", &[]), "", "bad"),
            ),
            with: Cell::new(wanted()),
            shown: RefCell::default(),
            listeners: RefCell::default(),
            this: this.clone(),
        }
    });
    page.engine.connect();
    PAGE.with(|kept| kept.set(page).ok());
}

/// The device to ask, from `?with=<device id>`.
fn wanted() -> Option<DeviceId> {
    let query = dom::window().location().search().ok()?;
    let parameters = UrlSearchParams::new_with_str(&query).ok()?;
    parameters.get("with")?.parse().ok()
}

/// What this page reads of what it is shown.
#[derive(Deserialize)]
struct Shown {
    trust: Trust,
}

#[derive(Deserialize)]
struct Trust {
    pairing: Option<PairingView>,
}

struct Page {
    engine: Rc<Engine<Shown>>,
    /// The device that is still to be asked.
    with: Cell<Option<DeviceId>>,
    shown: RefCell<Option<PairingModel>>,
    listeners: RefCell<Vec<Listener>>,
    this: std::rc::Weak<Self>,
}

impl Page {
    fn show(&self, trust: &Trust) {
        let pairing = trust.pairing.as_ref();
        let live = pairing.filter(|pairing| {
            !matches!(pairing.step, PairingStep::Done | PairingStep::Ended { .. })
        });
        if let Some(with) = self.with.take()
            && live.is_none()
        {
            self.engine.decide(&TrustCommand::Pair { with });
            return;
        }
        let Some(pairing) = pairing else {
            // It was withdrawn, or has been seen to its end elsewhere.
            step::leave();
            return;
        };
        let model = PairingModel::new(pairing, &i18n::message);
        if self.shown.borrow().as_ref() == Some(&model) {
            return;
        }
        self.put(&model);
        self.shown.replace(Some(model));
    }

    fn put(&self, model: &PairingModel) {
        step::say(&model.heading, &model.explanation, model.state);
        let shown: Element = by_id("symbols");
        show(&shown, !model.shown.is_empty());
        put_symbols(&shown, &model.shown);
        let mut listeners = Vec::new();
        let mut on_click = |button: &Element, command: TrustCommand, then_leave: bool| {
            let page = self.this.clone();
            listeners.push(Listener::new(button, "click", move |_| {
                if let Some(page) = page.upgrade() {
                    page.engine.decide(&command);
                    if then_leave {
                        step::leave();
                    }
                }
            }));
        };
        let choices: Element = by_id("choices");
        show(&choices, !model.choices.is_empty());
        set_text(&choices, "");
        for (index, choice) in (0..).zip(&model.choices) {
            let button = child(&choices, "button", "button symbols");
            set(&button, "type", "button");
            put_symbols(&button, &choice.symbols);
            set_label(&button, &choice.name);
            let choice = Some(index);
            on_click(&button, TrustCommand::PickPairing { choice }, false);
        }
        step::clear_actions();
        for (words, click) in &model.buttons {
            let button = step::add_action(words, *click == PairingClick::Yes);
            let (command, then_leave) = match click {
                PairingClick::Yes => (TrustCommand::AnswerPairing { yes: true }, false),
                PairingClick::No => (TrustCommand::AnswerPairing { yes: false }, true),
                PairingClick::NoneOfThem => (TrustCommand::PickPairing { choice: None }, false),
                PairingClick::End => (TrustCommand::EndPairing, true),
            };
            on_click(&button, command, then_leave);
        }
        self.listeners.replace(listeners);
    }
}

fn put_symbols(parent: &Element, symbols: &[Symbol]) {
    set_text(parent, "");
    for symbol in symbols {
        let figure = element("span", "symbol");
        set_text(&child(&figure, "span", "picture"), symbol.picture);
        set_text(&child(&figure, "span", "word"), &symbol.word);
        dom::append(parent, &figure);
    }
}
