/** Answers that go on: one JSON value a line, as long as the asker listens. */
import type { ServerResponse } from "node:http";
import type { Logger } from "../model/log.js";

/** As `ControlQuery`. */
type Query = Readonly<Record<string, string>>;

/** Sends values from when it is asked until what it gives back is called. */
export type ControlStream = (query: Query, send: (value: unknown) => void) => () => void;

/** Those who listen at a time, and what may wait for one that does not read, in octets. */
const LISTENERS_MAX = 16;
const WAITING_MAX = 256 * 1024;
/** An empty line, so that an asker that is gone is noticed. */
const HEARTBEAT_MS = 10_000;

export class ControlStreams {
  readonly #streams: Readonly<Record<string, ControlStream>>;
  readonly #log: Logger;
  readonly #open = new Set<ServerResponse>();

  constructor(streams: Readonly<Record<string, ControlStream>>, log: Logger) {
    this.#streams = streams;
    this.#log = log;
  }

  get names(): readonly string[] {
    return Object.keys(this.#streams);
  }

  get isFull(): boolean {
    return this.#open.size >= LISTENERS_MAX;
  }

  find(name: string): ControlStream | undefined {
    return Object.hasOwn(this.#streams, name) ? this.#streams[name] : undefined;
  }

  /** @throws what the stream throws, before anything is sent */
  start(stream: ControlStream, query: Query, response: ServerResponse): void {
    const write = (line: string): void => this.#write(response, line);
    const stop = stream(query, (value) => write(`${JSON.stringify(value)}\n`));
    const heartbeat = setInterval(() => write("\n"), HEARTBEAT_MS);
    heartbeat.unref();
    this.#open.add(response);
    response.on("close", () => {
      this.#open.delete(response);
      clearInterval(heartbeat);
      stop();
    });
    response.writeHead(200, { "content-type": "application/x-ndjson", "cache-control": "no-store" });
    // The asker is to know that it listens, before anything happens.
    response.flushHeaders();
  }

  /** Says to all that there will be no more. */
  end(): void {
    for (const response of this.#open) response.end();
  }

  #write(response: ServerResponse, line: string): void {
    if (response.destroyed || response.writableEnded) return;
    response.write(line);
    // What the asker has missed could not be told from what never happened: it has to ask again.
    if (response.writableLength <= WAITING_MAX) return;
    this.#log.warn("control.listener-dropped", { waiting: response.writableLength });
    response.destroy();
  }
}
