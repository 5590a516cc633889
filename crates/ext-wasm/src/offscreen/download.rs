//! Received files on their way into the browser's Downloads. The service worker gives each out as the answer to a navigation
//! and asks for it here piece by piece, so nothing of it is staged or held in memory beyond what waits for its turn. It
//! knows no transfer and no name but the one it is given.
//!
//! Not a transferred `ReadableStream`: that copies every piece, and the copies fill a hundred megabytes before they are
//! collected.

use core::cell::{Cell, RefCell};
use core::fmt;
use std::collections::VecDeque;
use std::rc::Rc;

use js_sys::{Array, Object, Promise, Uint8Array};
use tabferry_engine::{FileFailure, FileKey, Input};
use tabferry_protocol::name::ReceivedName;
use wasm_bindgen::closure::Closure;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::{JsFuture, spawn_local};
use web_sys::{HtmlIFrameElement, MessageChannel, MessagePort, ServiceWorkerRegistration};

use super::host::Host;
use super::object::object;
use super::timer::{Timer, pause};
use super::{background, log};
use crate::background::download::content_disposition;
use crate::chrome::runtime;
use crate::envelope::{DownloadState, download_path};
use tabferry_engine::Table;

/// How long the service worker may take to start and to take a file. Milliseconds.
const HAND_OVER_TIMEOUT_MS: u64 = 10_000;

/// What the service worker is given at once. Each piece costs a message there and one back: more than the copy that makes
/// one of several frames.
const PIECE_BYTES: u32 = 1024 * 1024;

/// After this a smaller piece is given: on a slow link the bytes shall be seen to arrive. Milliseconds.
const PIECE_DELAY_MS: u64 = 200;

/// How long the browser's list of downloads may be behind. Milliseconds.
const END_TIMEOUT_MS: u64 = 2_000;

/// The files being received by their keys.
#[derive(Debug, Default)]
pub(crate) struct Downloads(RefCell<Table<FileKey, Rc<Download>>>);

impl Downloads {
    pub(crate) fn open(&self, host: &Host, file: FileKey, name: &ReceivedName, bytes: u64) {
        match Download::open(host, file, name.as_str(), bytes) {
            Ok(download) => {
                self.0.borrow_mut().insert(file, download);
            }
            Err(thrown) => {
                log::warn_js("download", &thrown);
                host.tell(Input::FileFailed {
                    file,
                    failure: FileFailure::Interrupted,
                });
            }
        }
    }

    /// Appends bytes, which wait here until they are asked for.
    pub(crate) fn write(&self, host: &Host, file: FileKey, data: Uint8Array) {
        if let Some(download) = self.find(file) {
            download.waiting.borrow_mut().push(data);
            download.flush(host);
        }
    }

    fn handle_delay(&self, host: &Host, file: FileKey) {
        if let Some(download) = self.find(file) {
            download.delay.set(Delay::Over);
            download.flush(host);
        }
    }

    /// Ends a file after its last byte.
    pub(crate) fn commit(&self, host: &Host, file: FileKey) {
        if let Some(download) = self.find(file) {
            download.complete.set(true);
            download.flush(host);
        }
    }

    /// Breaks a file off; the browser removes what it has of it.
    pub(crate) fn abort(&self, file: FileKey) {
        let aborted = self.0.borrow_mut().remove(&file);
        if let Some(download) = aborted {
            download.say("abort");
        }
    }

    /// The service worker says how a download has ended.
    pub(crate) fn handle_end(&self, host: &Host, id: &str, state: DownloadState) {
        let found = self
            .0
            .borrow()
            .values()
            .find(|download| download.id == id)
            .cloned();
        if let Some(download) = found {
            self.end(host, &download, state);
        }
    }

    fn end(&self, host: &Host, download: &Rc<Download>, state: DownloadState) {
        let file = download.file;
        let input = match state {
            DownloadState::Running => return,
            DownloadState::Complete(stored) => Input::Stored { file, stored },
            DownloadState::Cancelled => failed(file, FileFailure::Cancelled),
            DownloadState::Full => failed(file, FileFailure::Full),
            DownloadState::Refused => failed(file, FileFailure::Refused),
            DownloadState::Interrupted => failed(file, FileFailure::Interrupted),
        };
        if self.0.borrow_mut().remove(&file).is_some() {
            host.tell(input);
        }
    }

    /// The service worker wants the next piece. The first time that means that it has taken the file, and the browser can
    /// be made to ask for it.
    fn handle_pull(&self, host: &Host, file: FileKey) {
        let Some(download) = self.find(file) else {
            return;
        };
        if download.frame.borrow().is_none() {
            match Frame::open(host, file, &download.id) {
                Ok(frame) => {
                    download.frame.replace(Some(frame));
                }
                Err(thrown) => {
                    log::warn_js("download", &thrown);
                    self.end(host, &download, DownloadState::Interrupted);
                }
            }
        }
        download.wanted.set(true);
        download.flush(host);
    }

    fn check_taken(&self, host: &Host, file: FileKey) {
        if let Some(download) = self.find(file)
            && download.frame.borrow().is_none()
        {
            log::warn("download", "the service worker does not take it");
            self.end(host, &download, DownloadState::Interrupted);
        }
    }

    /// The browser wants no more of a file. Why is the browser's to say, and its list of downloads may be a moment behind.
    fn handle_break(&self, host: &Host, file: FileKey) {
        let Some(download) = self.find(file) else {
            return;
        };
        let host = host.clone();
        spawn_local(async move {
            let state = background::download_state(download.id.clone()).await;
            if let Some(state) = state {
                host.downloads().end(&host, &download, state);
            }
            let _ = JsFuture::from(pause(END_TIMEOUT_MS)).await;
            host.downloads()
                .end(&host, &download, DownloadState::Interrupted);
        });
    }

    fn find(&self, file: FileKey) -> Option<Rc<Download>> {
        self.0.borrow().get(&file).cloned()
    }
}

fn failed(file: FileKey, failure: FileFailure) -> Input<'static> {
    Input::FileFailed { file, failure }
}

/// Frames that were not asked for yet. The engine's window bounds them.
#[derive(Default)]
struct Waiting {
    frames: VecDeque<Uint8Array>,
    bytes: u32,
}

impl Waiting {
    fn push(&mut self, frame: Uint8Array) {
        self.bytes += frame.length();
        self.frames.push_back(frame);
    }

    /// The first of them as one piece.
    fn take(&mut self, host: &Host) -> Uint8Array {
        let piece = Uint8Array::new_with_length(self.bytes.min(PIECE_BYTES));
        let mut length = 0;
        while let Some(frame) = self
            .frames
            .pop_front_if(|frame| length + frame.length() <= piece.length())
        {
            piece.set(&frame, length);
            length += frame.length();
            host.spent().add(frame.buffer());
        }
        self.bytes -= length;
        piece.subarray(0, length)
    }
}

/// How long what waits has waited.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Delay {
    #[default]
    None,
    Running,
    /// For [`PIECE_DELAY_MS`].
    Over,
}

/// One file on its way.
struct Download {
    file: FileKey,
    /// Its part of the URL that the service worker answers. Random, so that no page can guess it.
    id: String,
    /// To the service worker, which asks for each piece on it.
    port: MessagePort,
    waiting: RefCell<Waiting>,
    /// Whether a piece was asked for.
    wanted: Cell<bool>,
    delay: Cell<Delay>,
    timer: Timer,
    /// Whether no more will be written.
    complete: Cell<bool>,
    /// From when the service worker has taken the file.
    frame: RefCell<Option<Frame>>,
    _on_message: Closure<dyn FnMut()>,
}

impl Download {
    /// Offers a file to the service worker.
    fn open(host: &Host, file: FileKey, name: &str, bytes: u64) -> Result<Rc<Self>, JsValue> {
        let window = web_sys::window().ok_or(JsValue::UNDEFINED)?;
        let id = window.crypto()?.random_uuid();
        let channel = MessageChannel::new()?;
        let port = channel.port1();
        let on_message = Closure::new({
            let host = host.clone();
            move || host.downloads().handle_pull(&host, file)
        });
        port.set_onmessage(Some(on_message.as_ref().unchecked_ref()));

        let timer = Timer::new({
            let host = host.clone();
            move || host.downloads().handle_delay(&host, file)
        });

        // The whole answer, so that the service worker need not know what it gives out.
        let headers = object(&[
            ("content-type", "application/octet-stream".into()),
            ("content-length", bytes.to_string().into()),
            ("content-disposition", content_disposition(name).into()),
            ("x-content-type-options", "nosniff".into()),
        ])?;
        let offer = object(&[
            ("download", id.as_str().into()),
            ("headers", headers.into()),
        ])?;
        let ready = window.navigator().service_worker().ready()?;
        let host = host.clone();
        spawn_local(async move {
            if let Err(thrown) = hand_over(ready, &offer, &channel.port2()).await {
                log::warn_js("download", &thrown);
            }
            let _ = JsFuture::from(pause(HAND_OVER_TIMEOUT_MS)).await;
            host.downloads().check_taken(&host, file);
        });
        Ok(Rc::new(Self {
            file,
            id,
            port,
            waiting: RefCell::default(),
            wanted: Cell::default(),
            delay: Cell::default(),
            timer,
            complete: Cell::default(),
            frame: RefCell::default(),
            _on_message: on_message,
        }))
    }

    /// Sends what waits as one piece, or the end, if that was asked for and is there.
    fn flush(&self, host: &Host) {
        if !self.wanted.get() {
            return;
        }
        let waiting = self.waiting.borrow().bytes;
        if waiting == 0 {
            if self.complete.get() {
                self.wanted.set(false);
                self.say("end");
            }
            return;
        }
        if waiting < PIECE_BYTES && !self.complete.get() && self.delay.get() != Delay::Over {
            if self.delay.replace(Delay::Running) == Delay::None {
                self.timer.set(PIECE_DELAY_MS);
            }
            return;
        }
        self.timer.clear();
        self.delay.set(Delay::None);
        self.wanted.set(false);
        let piece = self.waiting.borrow_mut().take(host);
        let bytes = u64::from(piece.length());
        // Moved and not copied, so that no garbage piles up here.
        match self
            .port
            .post_message_with_transferable(&piece, &Array::of1(&piece.buffer()))
        {
            Ok(()) => host.tell(Input::Written {
                file: self.file,
                bytes,
            }),
            Err(thrown) => log::warn_js("download", &thrown),
        }
    }

    fn say(&self, word: &str) {
        if let Err(thrown) = self.port.post_message(&word.into()) {
            log::warn_js("download", &thrown);
        }
    }
}

impl Drop for Download {
    fn drop(&mut self) {
        self.port.set_onmessage(None);
        self.port.close();
    }
}

impl fmt::Debug for Download {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Download")
            .field("file", &self.file)
            .finish_non_exhaustive()
    }
}

async fn hand_over(ready: Promise, offer: &Object, port: &MessagePort) -> Result<(), JsValue> {
    let registration: ServiceWorkerRegistration = JsFuture::from(ready).await?.dyn_into()?;
    let worker = registration.active().ok_or(JsValue::UNDEFINED)?;
    worker.post_message_with_transferable(offer, &Array::of1(port))
}

/// A hidden frame whose navigation the browser turns into a download. Dropping it removes it.
struct Frame {
    element: HtmlIFrameElement,
    _on_load: Closure<dyn FnMut()>,
}

impl Frame {
    fn open(host: &Host, file: FileKey, id: &str) -> Result<Self, JsValue> {
        let document = web_sys::window()
            .and_then(|window| window.document())
            .ok_or(JsValue::UNDEFINED)?;
        let element: HtmlIFrameElement = document.create_element("iframe")?.dyn_into()?;
        // A download leaves the frame as it is. What loads is a page that says that there is none.
        let on_load = Closure::new({
            let host = host.clone();
            move || host.downloads().handle_break(&host, file)
        });
        element.set_hidden(true);
        element.set_src(&runtime::url_of(&download_path(id)));
        element.set_onload(Some(on_load.as_ref().unchecked_ref()));
        document
            .body()
            .ok_or(JsValue::UNDEFINED)?
            .append_child(&element)?;
        Ok(Self {
            element,
            _on_load: on_load,
        })
    }
}

impl Drop for Frame {
    fn drop(&mut self) {
        self.element.set_onload(None);
        self.element.remove();
    }
}
