// Networks between devices and a signaling server on the internet: whoever comes through one has its public address there.

import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";

import type { SignalingServer } from "./signaling.ts";

/** What the server must be started with to believe in them. */
export const BEHIND_NETWORKS = ["--trusted-proxy", "127.0.0.1"];

const END_OF_HEAD = "\r\n\r\n";

/** A network with one public address. */
export class Network {
  private readonly listener: Server;
  private readonly sockets = new Set<Socket>();

  private constructor(listener: Server) {
    this.listener = listener;
  }

  /** Makes one in front of a server, on a free port. */
  static async start(server: SignalingServer, publicAddress: string): Promise<Network> {
    const listener = createServer();
    const network = new Network(listener);
    const [host, port] = server.address.split(":") as [string, string];
    listener.on("connection", (inside) => {
      const outside = connect(Number(port), host);
      network.keep(inside, outside);
      forward(inside, outside, `X-Forwarded-For: ${publicAddress}`);
      outside.pipe(inside);
    });
    listener.listen(0, "127.0.0.1");
    await once(listener, "listening");
    return network;
  }

  /** What goes into the extension's setting "Signaling server". */
  get url(): string {
    return `ws://127.0.0.1:${(this.listener.address() as AddressInfo).port}`;
  }

  /** Cuts all connections. */
  async stop(): Promise<void> {
    const closed = once(this.listener, "close");
    this.listener.close();
    this.sockets.forEach((socket) => socket.destroy());
    await closed;
  }

  /** Ends two sockets together, whatever happens to one. */
  private keep(...pair: [Socket, Socket]): void {
    for (const socket of pair) {
      this.sockets.add(socket);
      socket.on("error", () => undefined);
      socket.on("close", () => {
        this.sockets.delete(socket);
        pair.forEach((one) => one.destroy());
      });
    }
  }
}

/** Passes on what comes, with a line more in the head of the first request: a WebSocket has no other. */
function forward(from: Socket, to: Socket, line: string): void {
  let head = "";
  const read = (bytes: Buffer): void => {
    head += bytes.toString("latin1");
    const end = head.indexOf(END_OF_HEAD);
    if (end >= 0) {
      from.off("data", read);
      to.write(`${head.slice(0, end)}\r\n${line}${head.slice(end)}`, "latin1");
      from.pipe(to);
    }
  };
  from.on("data", read);
}
