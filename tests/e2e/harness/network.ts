// A network with a public address of its own: the server sees whoever comes through here at that address, as it does
// behind a reverse proxy. It must be started with `--trusted-proxy 127.0.0.1`.

import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";

import type { SignalingServer } from "./signaling.ts";

/** A way to a signaling server. */
export class Network {
  private readonly listener: Server;
  private readonly open: Set<Socket>;

  private constructor(listener: Server, open: Set<Socket>) {
    this.listener = listener;
    this.open = open;
  }

  /** Starts one at a free port, whose clients have this address. */
  static async start(server: SignalingServer, address: string): Promise<Network> {
    const open = new Set<Socket>();
    const [host, port] = server.address.split(":");
    const listener = createServer((client) => {
      const upstream = connect(Number(port), host);
      forwardAs(address, client, upstream);
      upstream.pipe(client);
      for (const [socket, other] of [[client, upstream], [upstream, client]] as const) {
        open.add(socket);
        socket.on("error", () => undefined);
        socket.on("close", () => {
          open.delete(socket);
          other.destroy();
        });
      }
    });
    await new Promise<void>((resolve) => listener.listen(0, "127.0.0.1", resolve));
    return new Network(listener, open);
  }

  /** What goes into the extension's setting "Signaling server". */
  get url(): string {
    return `ws://127.0.0.1:${(this.listener.address() as AddressInfo).port}`;
  }

  /** Ends it and every connection through it. */
  async stop(): Promise<void> {
    const closed = new Promise((resolve) => this.listener.close(resolve));
    for (const socket of this.open) {
      socket.destroy();
    }
    await closed;
  }
}

/** Adds the header to the one request that the server takes on a connection. */
function forwardAs(address: string, client: Socket, upstream: Socket): void {
  let begun = Buffer.alloc(0);
  const read = (chunk: Buffer): void => {
    begun = Buffer.concat([begun, chunk]);
    const headers = begun.indexOf("\r\n") + 2;
    if (headers < 2) {
      return;
    }
    client.off("data", read);
    upstream.write(begun.subarray(0, headers));
    upstream.write(`X-Forwarded-For: ${address}\r\n`);
    upstream.write(begun.subarray(headers));
    client.pipe(upstream);
  };
  client.on("data", read);
}
