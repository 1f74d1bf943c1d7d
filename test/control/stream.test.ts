import { mkdtempSync, rmSync } from "node:fs";
import { createConnection, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { controlRequest } from "../../src/control/client.js";
import { controlListen } from "../../src/control/listen.js";
import { ControlServer } from "../../src/control/server.js";
import type { ControlStream } from "../../src/control/stream.js";
import { SystemError } from "../../src/model/errors.js";
import { createLogger } from "../../src/telemetry/logger.js";

/** A stream that says what the test says, to all who listen. */
class Source {
  readonly sends = new Set<(value: unknown) => void>();
  readonly stream: ControlStream = (_query, send) => {
    const own = (value: unknown): void => send(value);
    this.sends.add(own);
    return () => void this.sends.delete(own);
  };

  send(value: unknown): void {
    for (const send of this.sends) send(value);
  }

  async heardBy(listeners: number): Promise<void> {
    await vi.waitFor(() => expect(this.sends.size).toBe(listeners));
  }
}

let path = "";
let source: Source;
let server: ControlServer;
const events: unknown[] = [];
const raw: Socket[] = [];

beforeEach(async () => {
  path = join(mkdtempSync(join(tmpdir(), "sluice-stream-")), "r1.sock");
  source = new Source();
  events.splice(0);
  const log = createLogger({ format: "json", write: (line) => events.push(JSON.parse(line).event) });
  const refused: ControlStream = () => {
    throw new SystemError("NOT_NOW", "there is nothing to hear", { remedy: "wait" });
  };
  const streams = { "/v1/watch": source.stream, "/v1/refused": refused };
  server = new ControlServer({ path, routes: { "/v1/health": async () => ({}) }, streams, log });
  await server.listen();
});
afterEach(async () => {
  for (const socket of raw.splice(0)) socket.destroy();
  await server.close();
  rmSync(join(path, ".."), { recursive: true, force: true });
});

function listen(route = "/v1/watch") {
  const values: unknown[] = [];
  const stop = new AbortController();
  const end = controlListen(path, route, { onValue: (value) => values.push(value), signal: stop.signal });
  return { values, end, stop: () => stop.abort() };
}

/** Asks, and never reads. */
function deaf(): Socket {
  const socket = createConnection(path);
  socket.pause();
  socket.write("GET /v1/watch HTTP/1.1\r\nHost: control\r\n\r\n");
  raw.push(socket);
  return socket;
}

describe("answers that go on", () => {
  it("reach all who listen, value by value, until they stop", async () => {
    const [one, other] = [listen(), listen()];
    await source.heardBy(2);
    source.send({ n: 1, text: "ü\n" });
    source.send([2]);
    await vi.waitFor(() => expect([one.values, other.values]).toEqual(Array(2).fill([{ n: 1, text: "ü\n" }, [2]])));
    one.stop();
    expect(await one.end).toBe("stopped");
    await source.heardBy(1);
    source.send(3);
    await vi.waitFor(() => expect(other.values).toHaveLength(3));
    expect(one.values).toHaveLength(2);
    await expect(controlRequest(path, "/v1/health")).resolves.toEqual({});
  });

  it("end in order when the role does", async () => {
    const one = listen();
    await source.heardBy(1);
    source.send("last");
    await server.close();
    expect(await one.end).toBe("ended");
    expect(one.values).toEqual(["last"]);
    await expect(listen().end).rejects.toMatchObject({ code: "CONTROL_UNREACHABLE" });
  });

  it("are lost when the role is killed, or says what is no answer", async () => {
    const answers: Record<string, string> = {
      half: 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n{"n"',
      wrong: "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell\n",
      cut: "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n[1]\n[",
    };
    for (const [name, answer] of Object.entries(answers)) {
      const other = createServer((socket) => {
        socket.on("error", () => undefined);
        socket.end(answer);
      });
      const at = `${path}.${name}`;
      await new Promise<void>((resolve) => other.listen(at, resolve));
      const signal = new AbortController().signal;
      const code = name === "wrong" ? "CONTROL_ANSWER" : "CONTROL_LOST";
      await expect(controlListen(at, "/v1/watch", { onValue: () => undefined, signal })).rejects.toMatchObject({
        code,
      });
      other.close();
    }
  });

  it("drop a listener that does not read, and keep the others", async () => {
    const good = listen();
    await source.heardBy(1);
    deaf();
    await source.heardBy(2);
    const text = "x".repeat(10_000);
    for (let n = 0; n < 500 && source.sends.size > 1; n += 1) {
      source.send({ n, text });
      await new Promise((resolve) => setImmediate(resolve));
    }
    await source.heardBy(1);
    expect(events).toEqual(["control.listener-dropped"]);
    source.send("still there");
    await vi.waitFor(() => expect(good.values.at(-1)).toBe("still there"));
    expect(good.values.slice(0, -1).map((value) => (value as { n: number }).n)).toEqual(
      Array.from({ length: good.values.length - 1 }, (_none, n) => n),
    );
  });

  it("are for so many at a time", async () => {
    for (let n = 0; n < 16; n += 1) deaf();
    await source.heardBy(16);
    await expect(listen().end).rejects.toMatchObject({ code: "CONTROL_BUSY" });
    raw[0]?.destroy();
    await source.heardBy(15);
    const last = listen();
    await source.heardBy(16);
    last.stop();
    expect(await last.end).toBe("stopped");
  });

  it("say why there is none", async () => {
    await expect(listen("/v1/nothing").end).rejects.toMatchObject({
      code: "CONTROL_ROUTE",
      remedy: "it answers /v1/health, /v1/watch, /v1/refused",
    });
    await expect(listen("/v1/refused").end).rejects.toMatchObject({ code: "NOT_NOW", remedy: "wait" });
    await expect(controlRequest(path, "/v1/watch", {}, { method: "POST" })).rejects.toMatchObject({
      code: "CONTROL_ROUTE",
    });
    expect(source.sends.size).toBe(0);
  });
});
