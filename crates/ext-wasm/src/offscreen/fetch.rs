//! The bytes of what stands in a page: fetches them with the person's cookies, as the page did, and lets the link be sent
//! where they can't be had. It knows no permission: what the browser does not allow fails like what is not there.

use tabferry_engine::Input;
use tabferry_protocol::code::Code;
use tabferry_protocol::host::{Command, PlainItem};
use tabferry_protocol::id::DeviceId;
use url::Url;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::{JsFuture, spawn_local};
use web_sys::{AbortController, Blob, RequestCredentials, RequestInit, Response};

use super::host::Host;
use super::timer::Timer;
use super::{background, file_name, log};
use crate::envelope::BackgroundMessage;

/// How long a server may take until it begins to answer. Milliseconds.
const ANSWER_TIMEOUT_MS: u64 = 20_000;

/// Fetches what is at a URL and sends its bytes to a device.
pub(crate) fn send(host: &Host, to: DeviceId, url: &str, title: String) {
    let (Ok(url), Ok(fetch)) = (Url::parse(url), AbortController::new()) else {
        log::warn("fetch", "not a URL");
        return;
    };
    let source = host.sources().add_fetch(fetch.clone());
    // From here on it is shown and can be cancelled. Its name is a guess until the server answers.
    let name = file_name::of_fetched(None, &url, "");
    host.tell(Input::Command(Command::Prepare { to, name, source }));

    let host = host.clone();
    spawn_local(async move {
        match get(&url, &fetch).await {
            Ok((blob, name)) => {
                if let Some(file) = host.sources().fetched(source, blob, name) {
                    host.tell(Input::Command(Command::Prepared { file }));
                }
            }
            Err(thrown) if host.sources().has(source) => {
                log::warn_js("fetch", &thrown);
                let instead = link(&url, title);
                if instead.is_some() {
                    background::tell(BackgroundMessage::SentLinkInstead { url: url.into() });
                }
                let code = Code::FetchFailed;
                host.tell(Input::Command(Command::PrepareFailed {
                    source,
                    code,
                    instead,
                }));
            }
            Err(_) => {}
        }
    });
}

/// The bytes at a URL and their name.
async fn get(url: &Url, fetch: &AbortController) -> Result<(Blob, String), JsValue> {
    let response = answer(url, fetch).await?;
    if !response.ok() {
        return Err(response.status().into());
    }
    let header = |name| response.headers().get(name).ok().flatten();
    let disposition = header("content-disposition");
    let media_type = header("content-type").unwrap_or_default();
    let name = file_name::of_fetched(disposition.as_deref(), url, &media_type);
    let blob = JsFuture::from(response.blob()?).await?.dyn_into()?;
    Ok((blob, name))
}

async fn answer(url: &Url, fetch: &AbortController) -> Result<Response, JsValue> {
    let options = RequestInit::new();
    options.set_credentials(RequestCredentials::Include);
    options.set_signal(Some(&fetch.signal()));
    let window = web_sys::window().ok_or(JsValue::UNDEFINED)?;
    let timeout = Timer::new({
        let fetch = fetch.clone();
        move || fetch.abort()
    });
    timeout.set(ANSWER_TIMEOUT_MS);
    JsFuture::from(window.fetch_with_str_and_init(url.as_str(), &options))
        .await?
        .dyn_into()
}

/// A link that is of use on another device.
fn link(url: &Url, title: String) -> Option<PlainItem> {
    matches!(url.scheme(), "http" | "https").then(|| PlainItem::Link {
        url: url.to_string(),
        title,
    })
}
