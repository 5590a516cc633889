//! The page for connecting with a code, in the popup: shows a code or takes one, and goes on with the one under way. It
//! owns nothing: it may close at any time, and a code that it shows stays open.

use std::cell::{OnceCell, RefCell};
use std::rc::Rc;

use serde::Deserialize;
use tabferry_ext::chrome::i18n;
use tabferry_ext::chrome::storage::Area;
use tabferry_ext::model::code::{CodeClick, CodeModel};
use tabferry_ext::page::engine::Engine;
use tabferry_ext::page::step;
use tabferry_ext::settings::SERVER;
use tabferry_ext::view::code::show_code;
use tabferry_ext::view::dom::{self, Listener, by_id, focus, show};
use tabferry_ext::view::notice::Notice;
use tabferry_protocol::host::{CodeStep, TrustCommand};
use tabferry_protocol::secret_code::{CodeText, SecretCode};
use tabferry_protocol::signaling_address::DEFAULT_SERVER;
use wasm_bindgen::JsValue;
use wasm_bindgen_futures::{JsFuture, spawn_local};
use web_sys::{Element, Event, HtmlInputElement};

thread_local! {
    /// Keeps the page alive.
    static PAGE: OnceCell<Rc<Page>> = const { OnceCell::new() };
}

fn main() {
    dom::localize();
    let page = Rc::new_cyclic(|this: &std::rc::Weak<Page>| {
        let (shown, lost) = (this.clone(), this.clone());
        Page {
            engine: Engine::new(
                move |now: Shown| {
                    if let Some(page) = shown.upgrade() {
                        page.show(now.trust.code.as_ref());
                    }
                },
                move || {
                    if let Some(page) = lost.upgrade() {
                        page.show_lost();
                    }
                },
            ),
            server: OnceCell::new(),
            typed: by_id("typed"),
            notice: Notice::new(),
            shown: RefCell::default(),
            listeners: RefCell::default(),
            buttons: RefCell::default(),
        }
    });
    page.take_linked_code();
    page.listen();
    let loading = Rc::clone(&page);
    spawn_local(async move { loading.load().await });
    PAGE.with(|kept| kept.set(page).ok());
}

/// What this page reads of what it is shown.
#[derive(Deserialize)]
struct Shown {
    trust: Trust,
}

#[derive(Deserialize)]
struct Trust {
    code: Option<CodeStep>,
}

struct Page {
    engine: Rc<Engine<Shown>>,
    /// The setting, once it is read.
    server: OnceCell<String>,
    typed: HtmlInputElement,
    notice: Notice,
    shown: RefCell<Option<CodeModel>>,
    listeners: RefCell<Vec<Listener>>,
    /// Those of the buttons that come and go.
    buttons: RefCell<Vec<Listener>>,
}

impl Page {
    /// Fills in a code that this page's own address carries, and takes it out of the address. Nothing is sent before a
    /// person wants it.
    fn take_linked_code(&self) {
        let Ok(fragment) = dom::window().location().hash() else {
            return;
        };
        if let Ok(code) = SecretCode::from_pasted(&fragment) {
            self.typed.set_value(&code.spelled());
        }
        if !fragment.is_empty()
            && let Ok(history) = dom::window().history()
        {
            // Fails for no address of our own.
            let _ = history.replace_state_with_url(&JsValue::NULL, "", Some("code.html"));
        }
    }

    async fn load(&self) {
        let kept = Area::Local.get(SERVER).await.ok().flatten();
        let server = kept.unwrap_or_else(|| DEFAULT_SERVER.to_owned());
        // Loaded once.
        let _ = self.server.set(server);
        self.engine.connect();
    }

    fn show(self: &Rc<Self>, code: Option<&CodeStep>) {
        let server = self.server.get().map_or("", String::as_str);
        let model = CodeModel::new(code, server, &i18n::message);
        let before = self.shown.replace(Some(model.clone()));
        if before.as_ref() == Some(&model) {
            return;
        }
        if let Some(CodeStep::Done { .. }) = code {
            self.typed.set_value("");
        }
        self.put(&model);
        let guesses = |model: &CodeModel| Some(model.shown.as_ref()?.wrong.clone());
        if let (Some(before), Some(now)) = (before.as_ref().and_then(guesses), guesses(&model))
            && before != now
        {
            self.notice.announce(&[now]);
        }
    }

    fn put(self: &Rc<Self>, model: &CodeModel) {
        self.notice.say("");
        show(&by_id("start"), model.starts);
        show_code(model.shown.as_ref());
        step::clear_actions();
        let mut buttons = Vec::new();
        for (words, click) in &model.buttons {
            let button =
                step::add_action(words, matches!(click, CodeClick::Again | CodeClick::Open));
            let (page, click) = (Rc::downgrade(self), *click);
            buttons.push(Listener::new(&button, "click", move |_| {
                if let Some(page) = page.upgrade() {
                    page.clicked(click);
                }
            }));
        }
        self.buttons.replace(buttons);
        step::say(&model.heading, &model.explanation, model.state);
    }

    fn show_lost(&self) {
        show(&by_id("start"), false);
        show_code(None);
        step::clear_actions();
        self.shown.take();
        let words = |key| i18n::message(key, &[]);
        let advice = words("problem_engine_advice");
        step::say(&words("problem_engine"), &advice, "bad");
    }

    fn clicked(self: &Rc<Self>, click: CodeClick) {
        match click {
            CodeClick::End => {
                self.engine.decide(&TrustCommand::EndCode);
                step::leave();
            }
            CodeClick::Again => self.engine.decide(&TrustCommand::EndCode),
            CodeClick::Open => self.engine.decide(&TrustCommand::OpenCode),
            CodeClick::Copy => {
                let page = Rc::clone(self);
                spawn_local(async move { page.copy().await });
            }
        }
    }

    fn listen(self: &Rc<Self>) {
        let mut listeners = Vec::new();
        let mut on = |target: &Element, kind, handle: fn(&Rc<Self>, Event)| {
            let page = Rc::downgrade(self);
            listeners.push(Listener::new(target, kind, move |event| {
                if let Some(page) = page.upgrade() {
                    handle(&page, event);
                }
            }));
        };
        on(&by_id("open"), "click", |page, _| {
            page.engine.decide(&TrustCommand::OpenCode);
        });
        on(&by_id("enter"), "submit", |page, event| {
            event.prevent_default();
            page.enter();
        });
        self.listeners.replace(listeners);
    }

    fn enter(&self) {
        let typed = self.typed.value();
        if typed.trim().is_empty() {
            focus(&self.typed);
            return;
        }
        let typed = CodeText::from(typed);
        self.engine.decide(&TrustCommand::EnterCode { typed });
    }

    async fn copy(&self) {
        let shown = self.shown.borrow().as_ref().and_then(|it| it.shown.clone());
        let Some(link) = shown.and_then(|shown| shown.link) else {
            return;
        };
        let clipboard = dom::window().navigator().clipboard();
        let copied = JsFuture::from(clipboard.write_text(link.expose())).await;
        let key = if copied.is_ok() {
            "copied"
        } else {
            "copy_failed"
        };
        self.notice.say(&i18n::message(key, &[]));
    }
}
