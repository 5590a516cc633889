// The service worker. Registers every listener at once, as the browser demands, and hands the events on when the
// program has loaded. No decisions here, but for the one that would come too late there: asking for a permission.

import init, * as program from "./wasm/background.js";

const loaded = init({ module_or_path: "wasm/background_bg.wasm" });

/** Makes a listener that hands its event on to a function of the program. */
const on = (name) => (...args) => loaded.then(() => program[name](...args));

// Whatever the worker starts for. The two listeners make it start with the browser and after an update.
loaded.then(() => program.started());
chrome.runtime.onInstalled.addListener(() => {});
chrome.runtime.onStartup.addListener(() => {});

chrome.runtime.onMessage.addListener((message, _sender, respond) => {
  const { background } = JSON.parse(message);
  if (background === undefined) return false;
  loaded
    .then(() => program.message(JSON.stringify(background)))
    .catch((error) => console.error(error))
    .then(respond);
  return true;
});

chrome.storage.onChanged.addListener((changes, area) =>
  loaded.then(() => program.storage_changed(area, Object.keys(changes))),
);

chrome.contextMenus.onClicked.addListener((info, tab) => {
  const asked = askForHost(info, tab);
  loaded
    .then(() => asked)
    .then(() => program.menu_clicked(JSON.stringify({ ...info, title: tab?.title ?? "" })));
});

chrome.notifications.onClicked.addListener(on("notification_clicked"));
chrome.notifications.onButtonClicked.addListener(on("notification_clicked"));
chrome.notifications.onClosed.addListener(on("notification_closed"));

chrome.downloads.onCreated.addListener(({ id, url }) => loaded.then(() => program.download_created(id, url)));
chrome.downloads.onErased.addListener(on("download_erased"));
chrome.downloads.onChanged.addListener(({ id, state }) => {
  if (state) loaded.then(() => program.download_changed(id));
});

/** Received files that the browser has not yet asked for, by the id in their URL. */
const files = new Map();

self.addEventListener("message", (event) => {
  const { download, name, bytes, stream } = event.data;
  files.set(download, { name, bytes, stream });
  (event.ports[0] ?? event.source).postMessage({ download });
});

self.addEventListener("fetch", (event) => {
  const { origin, pathname } = new URL(event.request.url);
  const [, folder, download] = pathname.split("/");
  if (origin === location.origin && folder === "download") {
    event.respondWith(loaded.then(() => attachment(download)));
  }
});

/** Answers with a received file, which the browser then stores as a download. */
function attachment(download) {
  const file = files.get(download);
  files.delete(download);
  if (!file) {
    program.download_lost(download);
    return new Response(null, { status: 404 });
  }
  return new Response(file.stream, {
    headers: {
      "content-type": "application/octet-stream",
      "content-length": file.bytes,
      "content-disposition": program.content_disposition(file.name),
      "x-content-type-options": "nosniff",
    },
  });
}

/**
 * Asks for access to the host of an image, video, audio or linked file that a person wants to send, for a click's right
 * to ask is lost after the first wait. Says nothing about the answer: fetching shows what can be had. The page's own
 * origin needs no question: the click has opened it.
 */
async function askForHost({ menuItemId, srcUrl, linkUrl }, tab) {
  const kind = menuItemId.split(":")[0];
  const wanted = { image: srcUrl, video: srcUrl, audio: srcUrl, file: linkUrl }[kind];
  const origin = webOrigin(wanted);
  if (!origin || origin === webOrigin(tab?.url)) return;
  await chrome.permissions.request({ origins: [`${origin}/*`] }).catch(() => false);
}

/** The origin of an http or https URL. */
function webOrigin(url) {
  return /^https?:/.test(url) && URL.canParse(url) ? new URL(url).origin : undefined;
}
