//! Received files on their way into the browser's Downloads. Each is a stream that the service worker gives out as the
//! answer to a navigation, so nothing of it is staged or held in memory beyond what waits for its turn here. It knows no
//! transfer and no name but the one it is given.

use core::cell::{Cell, RefCell};
use core::fmt;
use std::collections::VecDeque;
use std::rc::Rc;

use js_sys::{Array, Object, Promise, Reflect, Uint8Array};
use tabferry_engine::{FileFailure, FileKey, Input};
use tabferry_protocol::name::ReceivedName;
use wasm_bindgen::closure::Closure;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::{JsFuture, spawn_local};
use web_sys::{
    HtmlIFrameElement, MessageChannel, QueuingStrategy, ReadableStream,
    ReadableStreamDefaultController, ServiceWorkerRegistration,
};

use super::host::Host;
use super::timer::pause;
use super::{background, log};
use crate::chrome::runtime;
use crate::envelope::{DownloadState, download_path};
use tabferry_engine::Table;

/// How long the service worker may take to start and to take a stream. Milliseconds.
const HAND_OVER_TIMEOUT_MS: u64 = 10_000;

/// How long the browser's list of downloads may be behind. Milliseconds.
const END_TIMEOUT_MS: u64 = 2_000;

/// The files being received by their keys.
#[derive(Debug, Default)]
pub(crate) struct Downloads(RefCell<Table<FileKey, Rc<Download>>>);

impl Downloads {
    pub(crate) fn open(&self, host: &Host, file: FileKey, name: &ReceivedName, bytes: u64) {
        match Download::open(host, file) {
            Ok(download) => {
                self.0.borrow_mut().insert(file, download.clone());
                spawn_local(download.start(host.clone(), name.to_string(), bytes));
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

    /// Appends bytes, which stay where they are until the stream takes them.
    pub(crate) fn write(&self, host: &Host, file: FileKey, data: Uint8Array) {
        if let Some(download) = self.find(file) {
            download.waiting.borrow_mut().push_back(data);
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
            download.controller.error();
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

    fn handle_pull(&self, host: &Host, file: FileKey) {
        if let Some(download) = self.find(file) {
            download.wanted.set(true);
            download.flush(host);
        }
    }

    /// The stream is of no more use. Why is the browser's to say, and its list of downloads may be a moment behind.
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

/// One file on its way.
struct Download {
    file: FileKey,
    /// Its part of the URL that the service worker answers. Random, so that no page can guess it.
    id: String,
    stream: ReadableStream,
    controller: ReadableStreamDefaultController,
    /// Bytes that the stream did not ask for yet. The engine's window bounds them.
    waiting: RefCell<VecDeque<Uint8Array>>,
    /// Whether the stream waits for bytes.
    wanted: Cell<bool>,
    /// Whether no more will be written.
    complete: Cell<bool>,
    frame: RefCell<Option<Frame>>,
    _on_pull: Closure<dyn FnMut()>,
    _on_cancel: Closure<dyn FnMut()>,
}

impl Download {
    fn open(host: &Host, file: FileKey) -> Result<Rc<Self>, JsValue> {
        let id = web_sys::window()
            .ok_or(JsValue::UNDEFINED)?
            .crypto()?
            .random_uuid();
        let on_pull = Closure::new({
            let host = host.clone();
            move || host.downloads().handle_pull(&host, file)
        });
        let on_cancel = Closure::new({
            let host = host.clone();
            move || host.downloads().handle_break(&host, file)
        });
        let (stream, controller) = open_stream(&on_pull, &on_cancel)?;
        Ok(Rc::new(Self {
            file,
            id,
            stream,
            controller,
            waiting: RefCell::default(),
            wanted: Cell::default(),
            complete: Cell::default(),
            frame: RefCell::default(),
            _on_pull: on_pull,
            _on_cancel: on_cancel,
        }))
    }

    /// Hands the reading end to the service worker, then makes the browser ask for it.
    async fn start(self: Rc<Self>, host: Host, name: String, bytes: u64) {
        let started = match self.hand_over(&name, bytes).await {
            Ok(()) if host.downloads().find(self.file).is_none() => return,
            Ok(()) => Frame::open(&host, self.file, &self.id),
            Err(thrown) => Err(thrown),
        };
        match started {
            Ok(frame) => {
                self.frame.replace(Some(frame));
            }
            Err(thrown) => {
                log::warn_js("download", &thrown);
                host.downloads()
                    .end(&host, &self, DownloadState::Interrupted);
            }
        }
    }

    async fn hand_over(&self, name: &str, bytes: u64) -> Result<(), JsValue> {
        let container = web_sys::window()
            .ok_or(JsValue::UNDEFINED)?
            .navigator()
            .service_worker();
        let ready = container.ready()?;
        let ready = Promise::race(&Array::of2(&ready, &pause(HAND_OVER_TIMEOUT_MS)));
        let registration: ServiceWorkerRegistration = JsFuture::from(ready).await?.dyn_into()?;
        let worker = registration.active().ok_or(JsValue::UNDEFINED)?;

        let channel = MessageChannel::new()?;
        let message = object(&[
            ("download", &self.id.as_str().into()),
            ("name", &name.into()),
            ("bytes", &number(bytes).into()),
            ("stream", &self.stream),
        ])?;
        let answer = channel.port1();
        let taken = Promise::new(&mut |resolve, _| answer.set_onmessage(Some(&resolve)));
        worker.post_message_with_transferable(
            &message,
            &Array::of2(&self.stream, &channel.port2()),
        )?;
        let taken = Promise::race(&Array::of2(&taken, &pause(HAND_OVER_TIMEOUT_MS)));
        let taken = JsFuture::from(taken).await?;
        answer.close();
        if taken.is_undefined() {
            return Err("the service worker does not answer".into());
        }
        Ok(())
    }

    /// Gives the stream what it waits for, if that is there.
    fn flush(&self, host: &Host) {
        if !self.wanted.get() {
            return;
        }
        let next = self.waiting.borrow_mut().pop_front();
        if let Some(data) = next {
            self.wanted.set(false);
            let bytes = u64::from(data.length());
            match self.controller.enqueue_with_chunk(&data) {
                Ok(()) => host.tell(Input::Written {
                    file: self.file,
                    bytes,
                }),
                Err(thrown) => log::warn_js("download", &thrown),
            }
        } else if self.complete.get() {
            self.wanted.set(false);
            if let Err(thrown) = self.controller.close() {
                log::warn_js("download", &thrown);
            }
        }
    }
}

impl fmt::Debug for Download {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Download")
            .field("file", &self.file)
            .finish_non_exhaustive()
    }
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

/// A stream that asks for bytes only when someone reads it, and what controls it.
fn open_stream(
    on_pull: &Closure<dyn FnMut()>,
    on_cancel: &Closure<dyn FnMut()>,
) -> Result<(ReadableStream, ReadableStreamDefaultController), JsValue> {
    let slot = Rc::new(RefCell::new(None));
    let on_start = Closure::<dyn FnMut(ReadableStreamDefaultController)>::new({
        let slot = slot.clone();
        move |controller| {
            slot.replace(Some(controller));
        }
    });
    let source = object(&[
        ("start", on_start.as_ref()),
        ("pull", on_pull.as_ref()),
        ("cancel", on_cancel.as_ref()),
    ])?;
    let strategy = QueuingStrategy::new();
    strategy.set_high_water_mark(0.0);
    let stream = ReadableStream::new_with_underlying_source_and_strategy(&source, &strategy)?;
    let controller = slot.take().ok_or(JsValue::UNDEFINED)?;
    Ok((stream, controller))
}

fn object(entries: &[(&str, &JsValue)]) -> Result<Object, JsValue> {
    let object = Object::new();
    for (key, value) in entries {
        Reflect::set(&object, &(*key).into(), value)?;
    }
    Ok(object)
}

#[expect(clippy::cast_precision_loss, reason = "sizes are below 2^53")]
fn number(bytes: u64) -> f64 {
    bytes as f64
}
