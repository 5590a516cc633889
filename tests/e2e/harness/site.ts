// A small web site on loopback: pages, media and a picture that only a cookie opens.

import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { deflateSync, crc32 } from "node:zlib";

/** Title of the page at `/`. */
export const PAGE_TITLE = "A quiet harbor";
/** Text on that page, to be selected. */
export const PAGE_TEXT = "Boats come back with the tide.";

/** The site. */
export class Site {
  /** The picture at `/picture.png`. */
  readonly picture = png(64, 48, [30, 90, 160]);
  /** The picture at `/private.png`, for whoever has the cookie that `/login` sets. */
  readonly privatePicture = png(32, 32, [160, 60, 30]);
  /** The sound at `/sound.wav`. */
  readonly sound = wav(0.25);
  /** The file at `/report.bin`. */
  readonly report = Buffer.from(Array.from({ length: 100_000 }, (_, index) => (index * 31) % 251));
  private readonly server: Server;
  private readonly requests: string[] = [];

  private constructor(server: Server) {
    this.server = server;
    server.on("request", (request, response) => this.answer(request, response));
  }

  /** Starts it on a free port. */
  static async start(): Promise<Site> {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return new Site(server);
  }

  /** Full address of a path. */
  url(path: string): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}${path}`;
  }

  /** Paths asked for so far. */
  get log(): readonly string[] {
    return this.requests;
  }

  /** Ends it. */
  async stop(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }

  private answer(request: IncomingMessage, response: ServerResponse): void {
    const path = new URL(request.url ?? "/", "http://localhost").pathname;
    this.requests.push(path);
    const send = (type: string, body: string | Buffer, headers: Record<string, string> = {}): void => {
      response.writeHead(200, { "content-type": type, "content-length": Buffer.byteLength(body), ...headers });
      response.end(body);
    };
    switch (path) {
      case "/":
        return send("text/html; charset=utf-8", HOME);
      case "/frame":
        return send("text/html; charset=utf-8", page("Inside a frame", `<p>A frame's own text.</p>`));
      case "/other":
        return send("text/html; charset=utf-8", page("Another page", `<p>Nothing special.</p>`));
      case "/picture.png":
        return send("image/png", this.picture);
      case "/login":
        return send("text/html; charset=utf-8", page("Signed in", `<img src="/private.png" alt="Private">`), {
          "set-cookie": "visitor=welcome; Path=/; HttpOnly; SameSite=Lax",
        });
      case "/private.png":
        if (request.headers.cookie?.includes("visitor=welcome")) {
          return send("image/png", this.privatePicture);
        }
        response.writeHead(403).end();
        return;
      case "/sound.wav":
        return send("audio/wav", this.sound);
      case "/report.bin":
        return send("application/octet-stream", this.report, {
          "content-disposition": `attachment; filename="report.bin"`,
        });
      default:
        response.writeHead(404).end();
    }
  }
}

function page(title: string, body: string): string {
  return `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>${title}</title></head><body>${body}</body></html>`;
}

const HOME = page(
  PAGE_TITLE,
  `<h1>${PAGE_TITLE}</h1>
<p id="text">${PAGE_TEXT}</p>
<p><a id="link" href="/other">Another page</a> <a id="report" href="/report.bin">The report</a></p>
<a id="picture-link" href="/other"><img id="picture" src="/picture.png" alt="A picture"></a>
<audio id="sound" src="/sound.wav" controls></audio>
<iframe id="frame" src="/frame" title="A frame"></iframe>`,
);

/** A PNG file of one color. */
function png(width: number, height: number, [red, green, blue]: [number, number, number]): Buffer {
  const chunk = (kind: string, data: Buffer): Buffer => {
    const body = Buffer.concat([Buffer.from(kind, "latin1"), data]);
    const framed = Buffer.alloc(body.length + 8);
    framed.writeUInt32BE(data.length, 0);
    body.copy(framed, 4);
    framed.writeUInt32BE(crc32(body), body.length + 4);
    return framed;
  };
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, 2, 0, 0, 0], 8); // 8 bits per channel, red green blue
  const row = Buffer.concat([Buffer.from([0]), Buffer.alloc(width * 3, Buffer.from([red, green, blue]))]);
  const pixels = deflateSync(Buffer.concat(Array.from({ length: height }, () => row)));
  const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
  return Buffer.concat([signature, chunk("IHDR", header), chunk("IDAT", pixels), chunk("IEND", Buffer.alloc(0))]);
}

/** A WAV file: a tone of 440 Hz, 8,000 samples of 8 bits a second. */
function wav(seconds: number): Buffer {
  const rate = 8_000;
  const samples = Math.round(rate * seconds);
  const file = Buffer.alloc(44 + samples);
  file.write("RIFF", 0, "latin1");
  file.writeUInt32LE(36 + samples, 4);
  file.write("WAVEfmt ", 8, "latin1");
  file.writeUInt32LE(16, 16);
  file.writeUInt16LE(1, 20); // PCM
  file.writeUInt16LE(1, 22); // one channel
  file.writeUInt32LE(rate, 24);
  file.writeUInt32LE(rate, 28);
  file.writeUInt16LE(1, 32);
  file.writeUInt16LE(8, 34);
  file.write("data", 36, "latin1");
  file.writeUInt32LE(samples, 40);
  for (let index = 0; index < samples; index++) {
    file[44 + index] = 128 + Math.round(100 * Math.sin((2 * Math.PI * 440 * index) / rate));
  }
  return file;
}
