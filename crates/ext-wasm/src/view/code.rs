//! A code for the person at another device: large, as a QR code, and until when it is valid.

use js_sys::{Date, JsString};
use wasm_bindgen::JsValue;
use web_sys::Element;

use super::dom::{by_id, set, set_text, show};
use crate::chrome::{i18n, object};
use crate::model::code::ShownCode;
use crate::model::qr::Picture;

/// Shows a code, or none.
pub fn show_code(code: Option<&ShownCode>) {
    show(&by_id("shown"), code.is_some());
    let Some(code) = code else {
        // What is no longer valid doesn't stay in the document.
        for id in ["code", "spelled", "until", "guesses"] {
            set_text(&by_id(id), "");
        }
        set(&by_id("modules"), "d", "");
        return;
    };
    set_text(&by_id("code"), code.text.expose());
    set_text(&by_id("spelled"), code.spelled.expose());
    let until = i18n::message("with_code_until", &[&time(code.until)]);
    set_text(&by_id("until"), &until);
    set_text(&by_id("guesses"), &code.wrong);
    let picture = code
        .link
        .as_ref()
        .and_then(|link| Picture::of(link.expose()));
    let qr: Element = by_id("qr");
    show(&qr, picture.is_some());
    if let Some(picture) = picture {
        set(&qr, "viewBox", &picture.view_box);
        set(&by_id("modules"), "d", &picture.path);
    }
}

/// A time of day in the browser's language.
#[expect(
    clippy::cast_precision_loss,
    reason = "seconds since 1970 are far below 2^53"
)]
fn time(seconds: u64) -> String {
    let date = Date::new(&JsValue::from_f64(seconds as f64 * 1000.0));
    let options = object(&[("timeStyle", "short".into())]);
    let text: JsString = date.to_locale_string("default", &options);
    text.into()
}
