import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { millis } from "../../../src/model/units.js";
import { HttpDirectory } from "../../../src/sip/location/directory.js";
import { FakeClock } from "../../support/fake-clock.js";

let server: Server;
let asked: string[];
let answer: (request: IncomingMessage, response: ServerResponse) => void;
const json = (value: unknown, status = 200) => {
  return (_request: IncomingMessage, response: ServerResponse) => {
    response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(value));
  };
};

beforeEach(async () => {
  asked = [];
  answer = json({ nick: "ace", aor: "sip:anna@b.example", online: true });
  server = createServer((request, response) => {
    asked.push(request.url ?? "");
    answer(request, response);
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
});
afterEach(async () => {
  server.closeAllConnections();
  await new Promise((done) => server.close(done));
});

function directory(options: { timeout?: number; limits?: { kept: number; asked: number } } = {}) {
  const { port } = server.address() as AddressInfo;
  const clock = new FakeClock();
  const { timeout = 2000, limits } = options;
  const url = `http://127.0.0.1:${port}/directory/`;
  return { clock, it: new HttpDirectory({ url, clock, timeout: millis(timeout), ...(limits && { limits }) }) };
}

describe("a directory over HTTP", () => {
  it("says whose a name is, and is asked again after a while only", async () => {
    const { it: names, clock } = directory();
    expect(await names.find("ace")).toEqual({ aor: "sip:anna@b.example", online: true });
    await names.find("ace");
    expect(asked).toEqual(["/directory/ace"]);
    clock.time += 5_001;
    answer = json({ aor: "anna@b.example", online: false });
    expect(await names.find("ace")).toEqual({ aor: "sip:anna@b.example", online: false });
  });

  it("is asked once for questions at the same time", async () => {
    const { it: names } = directory();
    await Promise.all(Array.from({ length: 20 }, () => names.find("ace")));
    expect(asked).toHaveLength(1);
  });

  it("knows nobody by 404, and remembers that too", async () => {
    const { it: names } = directory();
    answer = json({}, 404);
    expect([await names.find("x"), await names.find("x")]).toEqual([undefined, undefined]);
    expect(asked).toHaveLength(1);
  });

  it("is never led to another path by a name", async () => {
    const { it: names } = directory();
    answer = json({}, 404);
    for (const nick of ["..", ".", "", "a/../b", "a?b#c", "x".repeat(65)]) await names.find(nick);
    expect(asked).toEqual(["/directory/a%2F..%2Fb", "/directory/a%3Fb%23c"]);
  });

  it.each([
    ["a failure", json({}, 500)],
    ["no JSON", (_: IncomingMessage, response: ServerResponse) => void response.end("<html>")],
    ["no user", json({ aor: 5, online: true })],
    ["no SIP user", json({ aor: "sip:b.example", online: true })],
    ["too much", json({ aor: "sip:a@b.example", online: true, more: "x".repeat(5000) })],
    [
      "another place",
      (_: IncomingMessage, response: ServerResponse) => void response.writeHead(302, { location: "/" }).end(),
    ],
    ["nothing in time", () => undefined],
    ["a broken connection", (request: IncomingMessage) => void request.socket.destroy()],
  ])("that answers with %s cannot be used, and that is not remembered", async (_name, wrong) => {
    const { it: names } = directory({ timeout: 100 });
    answer = wrong;
    await expect(names.find("ace")).rejects.toMatchObject({ code: "SIP_DIRECTORY" });
    answer = json({ aor: "sip:anna@b.example", online: true });
    expect(await names.find("ace")).toMatchObject({ online: true });
  });

  it("is asked so many questions at a time, and not more", async () => {
    const { it: names } = directory({ limits: { kept: 2, asked: 2 } });
    const all = await Promise.allSettled(["a", "b", "c"].map((nick) => names.find(nick)));
    expect(all.map(({ status }) => status)).toEqual(["fulfilled", "fulfilled", "rejected"]);
    await names.find("c");
    await names.find("a");
    expect(asked.filter((path) => path.endsWith("/a"))).toHaveLength(2);
  });
});
