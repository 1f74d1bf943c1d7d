import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { reservationContext } from "../../../src/cops/rsvp/codes.js";
import { millis } from "../../../src/model/units.js";
import { readRequest } from "../../../src/pdp/rsvp/reservation-reading.js";
import { flowObjects } from "../../../src/rsvp/codec/flow-objects.js";
import { encodeObject } from "../../../src/rsvp/codec/object.js";
import { sessionObject } from "../../../src/rsvp/codec/session-object.js";
import { aggregate, flowspecOf, objectsOf, reqOf, requestOf, singleFlow } from "./requests.js";

const askOf = (...args: Parameters<typeof requestOf>) => {
  const reading = readRequest(requestOf(...args));
  if (!reading.ok) throw new Error(reading.why);
  return reading.ask;
};

const errorOf = (req: Parameters<typeof readRequest>[0]) => {
  const reading = readRequest(req);
  return reading.ok ? undefined : reading.error.code;
};

describe("a request of COPS-RSVP", () => {
  it("asks for a rate at layer 3, from senders to a destination", () => {
    expect(askOf({ rate: 100_001 })).toMatchObject({
      kind: "reservation",
      style: "FF",
      senders: ["10.1.0.1"],
      rate: 100_001,
    });
  });

  it("is about the same reservation for the same next hop and flow, whatever its handle and rate", () => {
    const identity = (wanted: Parameters<typeof requestOf>[0]) => (askOf(wanted) as { identity: string }).identity;
    expect(identity({ handle: 2, rate: 200_000 })).toBe(identity({}));
    for (const other of [
      { sender: "10.1.0.9" },
      { session: aggregate("10.3.0.9") },
      { session: singleFlow("10.3.0.1") },
    ]) {
      expect(identity(other)).not.toBe(identity({}));
    }
  });

  it("of a merged reservation has neither hop nor refresh period", () => {
    const flows = { style: "SE", filters: [{ address: "10.1.0.1" }], flowspec: flowspecOf(80_000) } as const;
    const objects = [sessionObject(aggregate("10.3.0.1")), ...flowObjects(flows)];
    const octets = Buffer.concat(objects.map(encodeObject));
    const reading = readRequest(reqOf(octets, { context: reservationContext("merged") }));
    expect(reading).toMatchObject({ ok: true, ask: { rate: 80_000, senders: ["10.1.0.1"] } });
    // RFC 2749 §2.3: as a message it lacks what RSVP wants.
    expect(errorOf(reqOf(octets))).toBe(5);
  });

  it("may be about a Path, or about an error, of which nothing is decided", () => {
    const path = objectsOf({
      kind: "Path",
      session: singleFlow("10.3.0.1"),
      hop: { address: "10.1.0.1", lih: 0 },
      refreshPeriod: millis(30_000),
      policy: [],
      sender: { template: { address: "10.1.0.1", port: 5004 }, tspec: flowspecOf(80_000).tspec },
      unknown: [],
    });
    const context = { rType: 5, mType: 1 };
    expect(readRequest(reqOf(path, { context }))).toMatchObject({
      ok: true,
      ask: { kind: "path", senders: ["10.1.0.1"] },
    });
    expect(readRequest(reqOf(path, { context: { rType: 4, mType: 4 } }))).toEqual({ ok: true, ask: { kind: "error" } });
  });

  it.each([
    ["without ClientSI", { ...requestOf(), signaled: [] }, 5],
    ["without RSVP objects", reqOf(Buffer.alloc(0)), 5],
    ["with two ClientSI", { ...requestOf(), signaled: [...requestOf().signaled, Buffer.alloc(4)] }, 3],
    ["of another message type", { ...requestOf(), context: { rType: 1, mType: 5 } }, 3],
    ["with half an object", reqOf(requestOf().signaled[0]!.subarray(0, 14)), 3],
    [
      "for several flows at once",
      requestOf({
        flows: {
          style: "FF",
          flows: [
            { filter: { address: "10.1.0.1" }, flowspec: flowspecOf(8000) },
            { filter: { address: "10.1.0.2" }, flowspec: flowspecOf(8000) },
          ],
        },
      }),
      3,
    ],
  ])("%s is answered with the error that RFC 2748 has for it", (_name, req, code) => {
    expect(errorOf(req)).toBe(code);
  });

  it("of any octets is read or answered", () => {
    const good = requestOf().signaled[0] ?? Buffer.alloc(0);
    const mutated = fc.array(fc.tuple(fc.nat(good.length - 1), fc.nat(255)), { maxLength: 6 }).map((changes) => {
      const octets = Buffer.from(good);
      for (const [at, value] of changes) octets[at] = value;
      return octets;
    });
    const any = fc.oneof(
      mutated,
      fc.uint8Array({ maxLength: 200 }).map((octets) => Buffer.from(octets)),
    );
    fc.assert(
      fc.property(any, fc.integer({ min: 1, max: 4 }), (octets, mType) => {
        const reading = readRequest(reqOf(octets, { context: { rType: 7, mType } }));
        if (!reading.ok) expect([3, 5]).toContain(reading.error.code);
      }),
      { numRuns: 20_000 },
    );
  });
});
