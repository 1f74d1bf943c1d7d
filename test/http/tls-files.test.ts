/** Replaces the files of a server that runs, on loopback. Time is moved by hand, the files' times are real. */
import { readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type KeyPairPaths, readKeyPair } from "../../src/http/key-pair.js";
import { TlsFiles } from "../../src/http/tls-files.js";
import type { LogFields } from "../../src/model/log.js";
import { SILENT_LOGGER } from "../../src/model/log.js";
import { secureOptions } from "../../src/model/tls.js";
import { millis } from "../../src/model/units.js";
import { FakeClock } from "../support/fake-clock.js";
import { greet, Pairs } from "./pairs.js";

const MINUTE = millis(60_000);
const DAY = 86_400_000;

let pairs: Pairs;
let [one, other, short] = [{}, {}, {}] as KeyPairPaths[] as [KeyPairPaths, KeyPairPaths, KeyPairPaths];
beforeAll(async () => {
  pairs = new Pairs();
  [one, other, short] = await Promise.all([pairs.make("one"), pairs.make("other"), pairs.make("short", 1)]);
});
afterAll(() => pairs.remove());

let clock: FakeClock;
let logged: { event: string; fields: LogFields }[];
let server: Server | undefined;
let files: TlsFiles;
let port: number;

beforeEach(() => {
  clock = new FakeClock(Date.now());
  logged = [];
});
afterEach(() => {
  files.close();
  server?.closeAllConnections();
  server?.close();
  server = undefined;
});

async function serve(paths: KeyPairPaths): Promise<void> {
  const log = (event: string, fields: LogFields | (() => LogFields) = {}): void => {
    logged.push({ event, fields: typeof fields === "function" ? fields() : fields });
  };
  files = new TlsFiles({ paths, clock, log: { ...SILENT_LOGGER, info: log, warn: log } });
  const fresh = createServer(secureOptions(files.pair), (_request, response) => response.end("served"));
  server = fresh;
  await new Promise<void>((resolve) => fresh.listen(0, "127.0.0.1", resolve));
  port = (fresh.address() as AddressInfo).port;
  files.watch((pair) => fresh.setSecureContext(secureOptions(pair)));
}

const shown = async () => {
  const { socket, name } = await greet(port);
  socket.destroy();
  return name;
};
const events = () => logged.map(({ event }) => event);

describe("key and certificate that are replaced while a server runs", () => {
  it.each(["copy", "rename"] as const)(
    "are served within a minute, by %s; a connection that is open lives",
    async (by) => {
      const live = pairs.live(one);
      await serve(live);
      const former = await greet(port);
      expect(former.name).toBe("one");
      pairs[by](other, live);
      expect(await shown()).toBe("one");
      clock.advance(MINUTE);
      expect(await shown()).toBe("other");
      const answer = text(former.socket);
      former.socket.write("GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n");
      expect(await answer).toContain("served");
      const until = new Date(readKeyPair(other).until).toISOString();
      expect(logged).toEqual([{ event: "tls.renewed", fields: { certificate: live.certificate, until } }]);
    },
  );

  it("are followed through links that are set to others, time and again", async () => {
    await serve(pairs.link(one));
    for (const [pair, name] of [
      [other, "other"],
      [one, "one"],
    ] as const) {
      pairs.link(pair);
      clock.advance(MINUTE);
      expect(await shown()).toBe(name);
    }
    expect(events()).toEqual(["tls.renewed", "tls.renewed"]);
  });

  it("are looked at when asked, too, and nothing is said where nothing is new", async () => {
    const live = pairs.live(one);
    await serve(live);
    files.look();
    writeFileSync(live.key, readFileSync(live.key));
    files.look();
    expect(events()).toEqual([]);
    pairs.copy(other, live);
    files.look();
    expect(await shown()).toBe("other");
  });
});

describe("a pair that cannot be used", () => {
  const breakings: readonly [string, (live: KeyPairPaths) => void, RegExp][] = [
    ["a key without its certificate", (live) => pairs.copy({ ...one, key: other.key }, live), /is not that of/],
    ["a certificate that is half written", (live) => truncateSync(live.certificate, 300), /no key and certificate/],
    ["a key that is half written", (live) => truncateSync(live.key, 100), /no key and certificate/],
    ["a chain that is half written", (live) => halfChain(live), /no key and certificate/],
    ["a key in place of the certificate", (live) => pairs.copy({ ...one, certificate: one.key }, live), /no key and/],
    ["nothing", (live) => rmSync(live.key), /live.key cannot be read/],
    ["one that has run out", (live) => pairs.copy(short, live), /has run out/],
  ];
  const halfChain = (live: KeyPairPaths): void => {
    const [leaf, issuer] = [readFileSync(one.certificate), readFileSync(other.certificate)];
    writeFileSync(live.certificate, Buffer.concat([leaf, issuer.subarray(0, 300)]));
  };

  it.each(breakings)("%s: is not taken, the log says it once, and the former is served", async (_, damage, why) => {
    const live = pairs.live(one);
    await serve(live);
    clock.advance(2 * DAY);
    damage(live);
    for (let minutes = 0; minutes < 3; minutes++) clock.advance(MINUTE);
    expect(await shown()).toBe("one");
    expect(events()).toEqual(["tls.refused"]);
    expect(logged[0]?.fields).toMatchObject({ what: expect.stringMatching(why), remedy: expect.stringMatching(/./) });
    expect(files.fault?.message).toMatch(why);
    const secret = readFileSync(one.key, "latin1").split("\n")[1] ?? expect.unreachable();
    expect(JSON.stringify(logged)).not.toContain(secret);
  });

  it("is taken as soon as it is whole", async () => {
    const live = pairs.live(one);
    await serve(live);
    pairs.copy({ ...one, key: other.key }, live);
    clock.advance(MINUTE);
    expect(await shown()).toBe("one");
    pairs.copy(other, live);
    clock.advance(MINUTE);
    expect(await shown()).toBe("other");
    expect(events()).toEqual(["tls.refused", "tls.renewed"]);
    expect(files.fault).toBeUndefined();
  });

  it("is no matter any more when the former files are back", async () => {
    const live = pairs.live(one);
    await serve(live);
    rmSync(live.key);
    files.look();
    expect(files.fault).toMatchObject({ code: "TLS_FILES" });
    pairs.copy(one, live);
    files.look();
    expect(files.fault).toBeUndefined();
    expect(events()).toEqual(["tls.refused"]);
  });

  it("is taken when its time comes, without another change", async () => {
    const live = pairs.live(one);
    await serve(live);
    clock.time -= DAY;
    pairs.copy(other, live);
    files.look();
    expect(files.fault?.message).toMatch(/is not valid yet/);
    clock.time += DAY;
    files.look();
    expect(await shown()).toBe("other");
  });
});

describe("a pair at the start", () => {
  it("is refused if it cannot be used, and taken if it has run out: health says so", () => {
    const paths = pairs.live(short);
    const late = new FakeClock(Date.now() + 2 * DAY);
    files = new TlsFiles({ paths, clock: late, log: SILENT_LOGGER });
    expect(files.pair.until).toBeLessThan(late.now());
    const mixed = { ...paths, key: other.key };
    expect(() => new TlsFiles({ paths: mixed, clock: late, log: SILENT_LOGGER })).toThrow(
      expect.objectContaining({ code: "TLS_FILES" }),
    );
  });
});
