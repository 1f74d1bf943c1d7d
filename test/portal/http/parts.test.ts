import { mkdtempSync, rmSync } from "node:fs";
import type { IncomingMessage } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isUnchanged, Pages } from "../../../src/portal/http/pages.js";
import { ok } from "../../../src/portal/http/reply.js";
import { RequestRate } from "../../../src/portal/http/request-rate.js";
import { type Route, RouteTable } from "../../../src/portal/http/routes.js";
import { isOwnChange, isOwnReading } from "../../../src/portal/http/same-origin.js";
import { sourceOf } from "../../../src/portal/http/source.js";
import { FakeClock } from "../../support/fake-clock.js";
import { INDEX, writePages } from "../support.js";

describe("Pages", () => {
  const directory = mkdtempSync(join(tmpdir(), "sluice-pages-"));
  const pages = new Pages(writePages(directory));
  rmSync(directory, { recursive: true });

  it("are in memory, in both encodings, with a tag of their own each", () => {
    expect(pages.size).toBe(3);
    const plain = pages.find("/", undefined)!;
    const packed = pages.find("/", "br, gzip")!;
    expect(plain.body.toString()).toBe(INDEX);
    expect(gunzipSync(packed.body).toString()).toBe(INDEX);
    expect(packed.headers).toMatchObject({ "Content-Encoding": "gzip", Vary: "Accept-Encoding" });
    expect(packed.headers.ETag).not.toBe(plain.headers.ETag);
    expect(isUnchanged(`"x", W/${plain.headers.ETag}`, plain.headers.ETag)).toBe(true);
    expect(isUnchanged(undefined, plain.headers.ETag)).toBe(false);
    expect(isUnchanged('"x"', plain.headers.ETag)).toBe(false);
  });

  it.each([
    ["gzip", true],
    ["gzip;q=0", false],
    ["gzip;q=0.5", true],
    ["deflate", false],
    ["x-gzip", false],
    ["", false],
  ])("are packed for %j: %s", (accepts, isPacked) => {
    expect(pages.find("/", accepts)?.headers["Content-Encoding"] === "gzip").toBe(isPacked);
  });

  it("are found by their very path, and by no other", () => {
    const paths = new Set(["/", "/favicon.svg", "/assets/app-1a2b.js"]);
    const part = fc.constantFrom("/", "..", ".", "assets", "app-1a2b.js", "portal.js", "%2e", "\\", "favicon.svg", "");
    fc.assert(
      fc.property(fc.array(part, { maxLength: 8 }), (parts) => {
        const path = parts.join("");
        expect(pages.find(path, undefined) !== undefined).toBe(paths.has(path));
      }),
    );
  });

  it("that are not built are said so", () => {
    expect(() => new Pages("/nonexistent")).toThrow("there is no built page in /nonexistent");
  });
});

describe("RouteTable", () => {
  const route = (method: "GET" | "POST", path: string): Route => ({
    method,
    path,
    who: "anyone",
    handle: async () => ok({}),
  });
  const table = new RouteTable([
    route("GET", "/api/a"),
    route("POST", "/api/a"),
    route("GET", "/api/s/:id"),
    route("GET", "/api/s/fixed"),
  ]);

  it("finds routes with what stands in their path", () => {
    expect(table.find("GET", "/api/s/x%2Fy")).toMatchObject({ params: { id: "x/y" } });
    expect(table.find("DELETE", "/api/a")).toEqual({ methods: ["GET", "POST"] });
    for (const path of ["/api/b", "/api/s/", "/api/s/a/b", "/api/s/%ff", "/API/a", `/api/s/${"x".repeat(2000)}`]) {
      expect(table.find("GET", path), path).toBeUndefined();
    }
  });

  it("takes any text whatever", () => {
    fc.assert(fc.property(fc.string(), fc.string(), (method, path) => void table.find(method, path)));
  });
});

describe("sourceOf", () => {
  const from = (remoteAddress: string, forwarded?: string) =>
    sourceOf(
      { socket: { remoteAddress }, headers: { "x-forwarded-for": forwarded } } as unknown as IncomingMessage,
      new Set(["10.0.0.1", "10.0.0.2"]),
    );

  it.each([
    ["192.0.2.1", "1.1.1.1", "192.0.2.1"],
    ["::ffff:10.0.0.1", "1.1.1.1, 192.0.2.1", "192.0.2.1"],
    ["10.0.0.1", "192.0.2.1, 10.0.0.2", "192.0.2.1"],
    ["10.0.0.1", "192.0.2.1, nonsense", "10.0.0.1"],
    ["10.0.0.1", undefined, "10.0.0.1"],
    ["10.0.0.1", "10.0.0.2", "10.0.0.1"],
    ["10.0.0.1", "2001:db8::1", "2001:db8::1"],
  ])("by %s with %s is %s", (remote, forwarded, source) => {
    expect(from(remote, forwarded)).toBe(source);
  });
});

it("requests of the own page are told by what browsers say", () => {
  const origin = "https://portal.a.example";
  expect(isOwnChange({ origin }, origin)).toBe(true);
  expect(isOwnChange({ "sec-fetch-site": "same-origin" }, origin)).toBe(true);
  expect(isOwnChange({}, origin)).toBe(false);
  expect(isOwnChange({ "sec-fetch-site": "none" }, origin)).toBe(false);
  expect(isOwnReading({})).toBe(true);
  expect(isOwnReading({ "sec-fetch-site": "none" })).toBe(true);
  expect(isOwnReading({ "sec-fetch-site": "same-site" })).toBe(false);
});

it("RequestRate lets a burst through, and 20 a second after it", () => {
  const clock = new FakeClock();
  const rate = new RequestRate(clock);
  const taken = (key: string, count: number) =>
    Array.from({ length: count }, () => rate.take(key)).filter(Boolean).length;
  expect(taken("a", 100)).toBe(60);
  expect(taken("b", 100)).toBe(60);
  clock.time += 1000;
  expect(taken("a", 100)).toBe(20);
  for (let index = 0; index < 20_000; index++) rate.take(`k${index}`);
  expect(taken("k19999", 100)).toBe(59);
});
