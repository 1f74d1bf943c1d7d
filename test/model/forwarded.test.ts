import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { forwardedSource } from "../../src/model/forwarded.js";

const TRUSTED = new Set(["10.0.0.1", "2001:db8::1"]);
const source = (peer: string, header?: string) => forwardedSource(peer, header, TRUSTED);

describe("who asks behind HTTP proxies", () => {
  it.each([
    ["192.0.2.1", "203.0.113.5", "192.0.2.1"],
    ["10.0.0.1", "198.51.100.9, 203.0.113.5", "203.0.113.5"],
    ["::ffff:10.0.0.1", "203.0.113.5,2001:DB8:0::1", "203.0.113.5"],
    ["2001:db8::1", "::ffff:203.0.113.5", "203.0.113.5"],
    ["10.0.0.1", "203.0.113.5, unknown", "10.0.0.1"],
    ["10.0.0.1", "203.0.113.5:4711", "10.0.0.1"],
    ["10.0.0.1", "fe80::1%eth0", "10.0.0.1"],
    ["10.0.0.1", "10.0.0.1", "10.0.0.1"],
    ["10.0.0.1", undefined, "10.0.0.1"],
  ])("by %s with %s is %s", (peer, header, expected) => {
    expect(source(peer, header)).toBe(expected);
  });

  it("is not changed by what is farther", () => {
    fc.assert(fc.property(fc.string(), (farther) => source("10.0.0.1", `${farther}, 203.0.113.5`) === "203.0.113.5"));
  });
});
