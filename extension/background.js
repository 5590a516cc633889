// The service worker. Registers every listener at once, as the browser demands, brings the events to the program when it
// has loaded, and carries out what the program answers. What to do is decided there; here stand the browser's APIs.

import init, * as program from "./wasm/background.js";

const loaded = init({ module_or_path: "wasm/background_bg.wasm" });
const { local, session } = chrome.storage;

// --- Events ---

// Nothing to do but what every start of the worker does; the listeners make the browser start it.
chrome.runtime.onInstalled.addListener(() => {});
chrome.runtime.onStartup.addListener(() => {});
loaded.then(started);

chrome.runtime.onMessage.addListener((text, _sender, respond) => {
  const { background } = JSON.parse(text);
  if (background === undefined) return false;
  loaded
    .then(() => choose(background, messages))
    .catch((error) => console.error(text, error))
    .then((answer) => respond(JSON.stringify(answer ?? null)));
  return true;
});

chrome.storage.onChanged.addListener((changes, area) => {
  if (area !== "local") return;
  if (SETTINGS.some((key) => key in changes)) {
    loaded.then(settings).then((configure) => tell({ command: { configure } }));
  }
  if ("native" in changes) loaded.then(() => tell({ native: changes.native.newValue === "on" ? "on" : "off" }));
});

chrome.contextMenus.onClicked.addListener((info, tab) => {
  const asked = askForHost(info, tab);
  const click = JSON.stringify({ ...info, title: tab?.title ?? "" });
  loaded.then(() => asked).then(() => perform(program.menu_clicked(click)));
});

chrome.notifications.onClicked.addListener(notificationClicked);
chrome.notifications.onButtonClicked.addListener(notificationClicked);
chrome.notifications.onClosed.addListener((id) => session.remove(keptFor(id)));

chrome.downloads.onCreated.addListener(({ id, url }) => {
  const download = downloadAt(url);
  if (download) running.set(id, download);
});
chrome.downloads.onChanged.addListener(({ id, state }) => {
  if (state) loaded.then(() => downloadEnded(id));
});
chrome.downloads.onErased.addListener((id) => loaded.then(() => downloadErased(id)));

self.addEventListener("message", ({ data: { download, headers }, ports: [port] }) => {
  files.set(download, { headers, stream: streamFrom(port) });
});

self.addEventListener("fetch", (event) => {
  const download = downloadAt(event.request.url);
  if (download) event.respondWith(loaded.then(() => attachment(download)));
});

/** A received file as a stream: asks on the port for each piece, and gets bytes, "end" or "abort". */
function streamFrom(port) {
  const given = [];
  return new ReadableStream({
    start(controller) {
      port.onmessage = ({ data }) => {
        if (data === "end") controller.close();
        else if (data === "abort") controller.error();
        else {
          given.push(data.buffer);
          controller.enqueue(data);
        }
      };
    },
    pull() {
      // The reader still holds the last piece, and is done with those before.
      if (given.length > 4) free(given.splice(0, given.length - 1));
      port.postMessage("more");
    },
    cancel: () => port.close(),
  });
}

/** Frees buffers, as a message that no one gets: Chromium would collect them after a hundred megabytes. */
function free(buffers) {
  const { port1, port2 } = new MessageChannel();
  port1.postMessage(0, buffers);
  port2.close();
}

/** What the messages to the service worker ask for; see `BackgroundMessage`. */
const messages = {
  "ensure-engine": () => ensureEngine().then(() => true),
  "engine-started": engineStarted,
  "download-state": ({ download }) => downloadState({ url: urlOf(download) }),
  "sent-link-instead": ({ url }) => perform(program.sent_link_instead(url)),
  // The offscreen document listens for this port. Were it the other way round, this worker would be an end of every page's port
  // too, and no page would notice when the offscreen document goes.
  "connect-native": () => {
    joinHost(chrome.runtime.connect({ name: "native" }));
    return true;
  },
  "native-gone": async () => perform(program.native_gone(Object.keys(await chrome.notifications.getAll()))),
  adopted: async (settings) => {
    await local.set(JSON.parse(program.kept_settings(JSON.stringify(settings))));
    await restartEngine();
  },
  happened: (event) => perform(program.happened(JSON.stringify(event))),
  status: (status) => session.set({ status: JSON.stringify(status) }).then(show),
};

// --- What the program wants done; see `Output` ---

/** Carries out what the program has answered, in its order. */
async function perform(answer) {
  for (const output of JSON.parse(answer)) await choose(output, outputs);
}

/** Calls the function for an enum of the program, which is a text or an object with one key. */
function choose(value, functions) {
  const [kind, body] = typeof value === "string" ? [value] : Object.entries(value)[0];
  return functions[kind](body);
}

const outputs = {
  notify: async ({ id, title, message, buttons, stays, kept }) => {
    if (kept) await session.set({ [keptFor(id)]: JSON.stringify(kept) });
    await chrome.notifications.create(id, {
      type: "basic",
      iconUrl: "icons/icon-128.png",
      title,
      message,
      buttons: buttons.map((title) => ({ title })),
      requireInteraction: stays,
    });
  },
  clear: ({ id }) => Promise.all([chrome.notifications.clear(id), session.remove(keptFor(id))]),
  open: async ({ url, unasked }) => {
    const { id } = await chrome.tabs.create({ url, active: !unasked });
    if (unasked) await session.set({ [keptFor(unasked)]: JSON.stringify({ tab: id }) });
  },
  "show-tab": ({ tab }) =>
    chrome.tabs
      .update(tab, { active: true })
      .then(({ windowId }) => chrome.windows.update(windowId, { focused: true }))
      .catch(outputs["show-popup"]),
  "show-in-folder": ({ download }) => chrome.downloads.show(download),
  // The browser refuses without a window in front, and before Chromium 127.
  "show-popup": () => chrome.action.openPopup().catch(() => chrome.tabs.create({ url: "popup.html" })),
  tell,
};

/** Makes calls of a function wait for each other. */
function oneAtATime(work) {
  let last = Promise.resolve();
  return () => {
    last = last.catch(() => {}).then(work);
    return last;
  };
}

// --- Badge and menus ---

const show = oneAtATime(async () => {
  const before = await session.get(["status", "menu"]);
  const { badge, menu, steps } = JSON.parse(program.show(before.status, before.menu));
  await showBadge(badge);
  await changeMenu(steps).catch(() => rebuildMenu(menu));
  await session.set({ menu: JSON.stringify(menu) });
});

async function showBadge({ text, color, title }) {
  await chrome.action.setBadgeBackgroundColor({ color });
  await chrome.action.setBadgeText({ text });
  await chrome.action.setTitle({ title });
}

const menuSteps = {
  create: createItem,
  retitle: ({ id, title }) => chrome.contextMenus.update(id, { title }),
  remove: ({ id }) => chrome.contextMenus.remove(id),
};

/** Fails where there is no way by steps, or the menus are not as they were thought to be. */
async function changeMenu(steps) {
  for (const step of steps) await choose(step, menuSteps);
}

async function rebuildMenu(items) {
  await chrome.contextMenus.removeAll();
  for (const item of items) await createItem(item);
}

/** The only way to learn whether this call succeeds is its callback. */
function createItem(item) {
  return new Promise((resolve, reject) => {
    chrome.contextMenus.create(item, () => {
      const error = chrome.runtime.lastError;
      if (error) reject(new Error(error.message));
      else resolve();
    });
  });
}

async function started() {
  // Otherwise the browser would show the menus of its last run, or of the extension's last version.
  const { menu } = await session.get("menu");
  if (!menu) await show();
  await ensureEngine();
}

// --- The engine in the offscreen document ---

const SETTINGS = ["deviceName", "server", "visibility", "groups"];

/** Far longer than it ever takes. */
const START_TIMEOUT_MS = 10_000;

let starting;
let listening = () => {};

/** Makes sure that the offscreen document is there and listens. */
function ensureEngine() {
  return starting ?? starts(startEngine());
}

/** Starts it anew with what is kept now. */
function restartEngine() {
  const before = (starting ?? Promise.resolve()).catch(() => {});
  return starts(
    before.then(async () => {
      const listens = engineListens();
      await chrome.offscreen.closeDocument();
      // Not `startEngine`: the browser may still count the closed document.
      await createEngine();
      await listens;
    }),
  );
}

/** Whoever needs the engine meanwhile waits for this start. */
function starts(start) {
  starting = start;
  const ended = () => {
    if (starting === start) starting = undefined;
  };
  start.then(ended, ended);
  return start;
}

async function startEngine() {
  const listens = engineListens();
  const documents = await chrome.runtime.getContexts({ contextTypes: ["OFFSCREEN_DOCUMENT"] });
  if (documents.length === 0) await createEngine();
  const { engine } = await session.get("engine");
  if (engine) listening();
  await listens;
}

/** Resolves when the offscreen document listens. */
function engineListens() {
  return new Promise((resolve, reject) => {
    listening = resolve;
    setTimeout(() => reject(new Error("engine not started")), START_TIMEOUT_MS);
  });
}

async function createEngine() {
  await session.remove(["engine", "status"]);
  await show();
  await chrome.offscreen.createDocument({
    url: "offscreen.html",
    reasons: ["WEB_RTC", "CLIPBOARD"],
    justification: "Connects to your devices and copies received texts.",
  });
}

async function engineStarted() {
  const notifications = Object.keys(await chrome.notifications.getAll());
  await perform(program.engine_started(notifications));
  const complete = await settings();
  await session.set({ engine: true });
  listening();
  const { native } = await local.get("native");
  return { settings: complete, native: native === "on" };
}

/** The settings; those that no person has made yet are made and kept. */
const settings = oneAtATime(async () => {
  const kept = await local.get(SETTINGS);
  const random = crypto.getRandomValues(new Uint8Array(2));
  const complete = JSON.parse(program.settings(JSON.stringify(kept), random));
  if (complete.name !== kept.deviceName) await local.set({ deviceName: complete.name });
  return complete;
});

/** Sends an `OffscreenMessage`. */
async function tell(offscreen) {
  await ensureEngine();
  await chrome.runtime.sendMessage(JSON.stringify({ offscreen }));
}

// --- The native host ---

const HOST = "app.tabferry.host";

/** Joins a port of the offscreen document to the native host: the browser lets nobody but this worker reach it. Says why,
 * when it ends. */
function joinHost(port) {
  const end = (gone) => {
    port.postMessage(JSON.stringify({ gone }));
    port.disconnect();
  };
  if (!chrome.runtime.connectNative) {
    // A worker that was running when a person allowed it has to start anew.
    chrome.permissions.contains({ permissions: ["nativeMessaging"] }).then((allowed) => end(allowed ? "restart" : "permission"));
    return;
  }
  const host = chrome.runtime.connectNative(HOST);
  host.onMessage.addListener((heard) => port.postMessage(JSON.stringify({ heard })));
  host.onDisconnect.addListener(() => end(chrome.runtime.lastError?.message ?? ""));
  port.onMessage.addListener((text) => host.postMessage(JSON.parse(text)));
  port.onDisconnect.addListener(() => host.disconnect());
}

// --- Notifications ---

async function notificationClicked(id, button) {
  const key = keptFor(id);
  const { [key]: kept } = await session.get(key);
  await loaded;
  await perform(program.notification_clicked(id, button, kept));
}

/** Key in the session area of what is kept for a notification. */
function keptFor(id) {
  return `notification:${id}`;
}

// --- Received files ---

/** Received files that the browser has not yet asked for, by the id in their URL. */
const files = new Map();

/** Our downloads by the browser's number. They go on only as long as this worker lives. */
const running = new Map();

function urlOf(download) {
  return chrome.runtime.getURL(`download/${download}`);
}

/** The id in a download's URL, if it is one of ours. */
function downloadAt(url) {
  const start = urlOf("");
  return url.startsWith(start) ? url.slice(start.length) : undefined;
}

/** Answers with a received file, which the browser then stores as a download. */
function attachment(download) {
  const file = files.get(download);
  files.delete(download);
  if (!file) {
    // The worker that took the stream has died.
    tell({ "download-ended": { download, state: "interrupted" } });
    return new Response(null, { status: 404 });
  }
  return new Response(file.stream, { headers: file.headers });
}

async function downloadState(query) {
  const [item] = await chrome.downloads.search(query);
  return JSON.parse(program.download_state(item && JSON.stringify(item)));
}

async function downloadEnded(id) {
  const [item] = await chrome.downloads.search({ id });
  const download = item && downloadAt(item.url);
  if (!download) return;
  const state = await downloadState({ id });
  if (state === "running") return;
  running.delete(id);
  await tell({ "download-ended": { download, state } });
}

/** A download is stopped by being taken off the list. */
async function downloadErased(id) {
  const download = running.get(id);
  running.delete(id);
  if (download) await tell({ "download-ended": { download, state: "cancelled" } });
}

// --- Permissions ---

/**
 * Asks for access to the host of an image, video, audio or linked file that a person wants to send: at once, because a
 * click's right to ask is lost after the first wait. Says nothing about the answer: fetching shows what can be had. The
 * page's own origin needs no question, the click has opened it.
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
