// The DevTools protocol, straight: for what Playwright does not list (the popup, the offscreen document) and for what
// must not be attached to all the time.

import { WebSocket } from "ws";

/** What `/json/list` says of one target. */
export interface Target {
  id: string;
  type: string;
  url: string;
  webSocketDebuggerUrl: string;
}

/** All pages, workers and documents of a browser. */
export async function targets(port: number): Promise<Target[]> {
  const response = await fetch(`http://127.0.0.1:${port}/json/list`);
  return (await response.json()) as Target[];
}

/** Resolves with the first target that fits, as soon as there is one. */
export async function waitForTarget(
  port: number,
  fits: (target: { type: string; url: string }) => boolean,
  timeoutMs = 10_000,
): Promise<Target> {
  const browser = await Connection.toBrowser(port);
  try {
    const found = browser.waitFor<{ targetInfo: { targetId: string; type: string; url: string } }>(
      ["Target.targetCreated", "Target.targetInfoChanged"],
      ({ targetInfo }) => fits(targetInfo),
      timeoutMs,
    );
    // Reports the targets that are there already, too.
    await browser.send("Target.setDiscoverTargets", { discover: true });
    const { targetInfo } = await found;
    return {
      id: targetInfo.targetId,
      type: targetInfo.type,
      url: targetInfo.url,
      webSocketDebuggerUrl: `ws://127.0.0.1:${port}/devtools/page/${targetInfo.targetId}`,
    };
  } finally {
    browser.close();
  }
}

/** A DevTools connection to a browser or to one target. */
export class Connection {
  private nextId = 1;
  private readonly answers = new Map<number, { resolve: (result: unknown) => void; reject: (error: Error) => void }>();
  private readonly listeners = new Set<(method: string, params: unknown) => void>();

  private readonly socket: WebSocket;

  private constructor(socket: WebSocket) {
    this.socket = socket;
    socket.on("message", (data: Buffer) => this.handle(JSON.parse(data.toString("utf8"))));
    socket.on("close", () => {
      for (const { reject } of this.answers.values()) {
        reject(new Error("the target is gone"));
      }
      this.answers.clear();
    });
    socket.on("error", () => socket.close());
  }

  /** Connects to a target's `webSocketDebuggerUrl`. */
  static async open(url: string): Promise<Connection> {
    const socket = new WebSocket(url, { perMessageDeflate: false });
    await new Promise<void>((resolve, reject) => {
      socket.once("open", resolve);
      socket.once("error", reject);
    });
    return new Connection(socket);
  }

  /** Connects to the browser itself. */
  static async toBrowser(port: number): Promise<Connection> {
    const response = await fetch(`http://127.0.0.1:${port}/json/version`);
    const { webSocketDebuggerUrl } = (await response.json()) as { webSocketDebuggerUrl: string };
    return Connection.open(webSocketDebuggerUrl);
  }

  /** Sends a command and waits for its result. */
  async send<Result = Record<string, never>>(method: string, params: object = {}): Promise<Result> {
    const id = this.nextId++;
    return new Promise<Result>((resolve, reject) => {
      this.answers.set(id, { resolve: resolve as (result: unknown) => void, reject });
      this.socket.send(JSON.stringify({ id, method, params }));
    });
  }

  /** Waits for an event that fits. */
  async waitFor<Params>(methods: string[], fits: (params: Params) => boolean, timeoutMs: number): Promise<Params> {
    return new Promise<Params>((resolve, reject) => {
      const finish = (): void => {
        clearTimeout(patience);
        this.listeners.delete(listener);
      };
      const listener = (method: string, params: unknown): void => {
        if (methods.includes(method) && fits(params as Params)) {
          finish();
          resolve(params as Params);
        }
      };
      const patience = setTimeout(() => {
        finish();
        reject(new Error(`no ${methods.join(" or ")} within ${timeoutMs} ms`));
      }, timeoutMs);
      this.listeners.add(listener);
    });
  }

  /** Evaluates an expression; promises are awaited. Throws what it throws. */
  async evaluate<Value>(expression: string): Promise<Value> {
    const { result, exceptionDetails } = await this.send<{
      result: { value: Value };
      exceptionDetails?: { text: string; exception?: { description?: string } };
    }>("Runtime.evaluate", { expression, awaitPromise: true, returnByValue: true, userGesture: true });
    if (exceptionDetails) {
      throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text);
    }
    return result.value;
  }

  /** Ends the connection; the target stays. */
  close(): void {
    this.socket.close();
  }

  private handle(message: { id?: number; result?: unknown; error?: { message: string }; method?: string; params?: unknown }): void {
    if (message.id === undefined) {
      for (const listener of [...this.listeners]) {
        listener(message.method!, message.params);
      }
      return;
    }
    const answer = this.answers.get(message.id);
    this.answers.delete(message.id);
    if (message.error) {
      answer?.reject(new Error(message.error.message));
    } else {
      answer?.resolve(message.result);
    }
  }
}
