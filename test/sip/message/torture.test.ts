/** RFC 4475, all its messages, from its own archive (fixtures/rfc4475.json: name to base64 octets). */
import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { DecodeError } from "../../../src/model/errors.js";
import { parseMessage } from "../../../src/sip/message/parse.js";
import { isAnswerable, isValidResponse, validateRequest } from "../../../src/sip/message/validate.js";

const archive: Record<string, string> = JSON.parse(
  readFileSync(new URL("../fixtures/rfc4475.json", import.meta.url), "utf8"),
);
const octetsOf = (name: string): Buffer => Buffer.from(archive[name] ?? "", "base64");

/** `pass`, the status to refuse with, or `drop`. */
function verdict(octets: Buffer): string {
  try {
    const parsed = parseMessage(octets);
    if (parsed.kind === "keepalive") return "keepalive";
    if (parsed.kind === "response") return isValidResponse(parsed.response, parsed.defects) ? "pass" : "drop";
    const rejection = validateRequest(parsed.request, parsed.defects);
    if (rejection === undefined) return "pass";
    return isAnswerable(parsed.request) ? String(rejection.status) : "drop";
  } catch (error) {
    if (error instanceof DecodeError) return "drop";
    throw error;
  }
}

const EXPECTED: Record<string, string> = {
  // §3.1.1: valid.
  ...Object.fromEntries(
    "wsinv intmeth esc01 escnull esc02 lwsdisp longreq dblreq semiuri transports mpart01 unreason noreason"
      .split(" ")
      .map((name) => [name, "pass"]),
  ),
  // §3.1.2: invalid. baddate is not for a proxy to read.
  badinv01: "drop",
  clerr: "400",
  ncl: "400",
  scalar02: "400",
  scalarlg: "drop",
  quotbal: "400",
  ltgtruri: "400",
  lwsruri: "400",
  lwsstart: "400",
  trws: "400",
  escruri: "400",
  baddate: "pass",
  regbadct: "pass",
  badaspec: "400",
  baddn: "400",
  badvers: "505",
  mismatch01: "400",
  mismatch02: "400",
  bigcode: "drop",
  // §3.2 to §3.4: readable, and another layer's business.
  badbranch: "pass",
  insuf: "drop",
  unkscm: "416",
  novelsc: "416",
  unksm2: "pass",
  bext01: "pass",
  invut: "pass",
  regaut01: "pass",
  multi01: "400",
  mcl01: "400",
  bcast: "pass",
  zeromf: "pass",
  cparam01: "pass",
  cparam02: "pass",
  regescrt: "pass",
  sdp01: "pass",
  inv2543: "pass",
};

describe("RFC 4475", () => {
  it("has an expectation for each message", () => {
    expect(Object.keys(EXPECTED).sort()).toEqual(Object.keys(archive).sort());
    expect(Object.keys(archive)).toHaveLength(49);
  });

  it.each(Object.entries(EXPECTED))("%s: %s", (name, expected) => {
    expect(verdict(octetsOf(name))).toBe(expected);
  });

  it("gives every valid message back octet for octet", () => {
    for (const name of Object.keys(archive).filter((key) => EXPECTED[key] === "pass" && key !== "dblreq")) {
      const parsed = parseMessage(octetsOf(name));
      if (parsed.kind === "keepalive") throw new Error(name);
      const message = parsed.kind === "request" ? parsed.request : parsed.response;
      expect(message.toBuffer().equals(octetsOf(name)), name).toBe(true);
    }
  });

  it("cuts off what follows the body in the datagram (§18.3)", () => {
    const parsed = parseMessage(octetsOf("dblreq"));
    if (parsed.kind !== "request") throw new Error("no request");
    const out = parsed.request.toBuffer();
    expect(octetsOf("dblreq").subarray(0, out.length).equals(out)).toBe(true);
    expect(out.length).toBeLessThan(octetsOf("dblreq").length);
  });

  it("reads the tortuous INVITE", () => {
    const parsed = parseMessage(octetsOf("wsinv"));
    if (parsed.kind !== "request") throw new Error("no request");
    const { request } = parsed;
    expect(request.cseq).toEqual({ number: 9, method: "INVITE" });
    expect(request.maxForwards).toBe(68);
    expect(request.vias).toHaveLength(3);
    expect(request.vias.map((via) => via.branch)).toEqual(["390skdjuw", "z9hG4bK9ikj8", "z9hG4bK30239"]);
    expect(request.toTag).toBe("1918181833n");
    expect(request.fromTag).toBe("98asjd8");
    expect(request.contentType).toBe("application/sdp");
  });

  it("never throws anything but DecodeError, whatever is changed", () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...Object.keys(archive)),
        fc.array(fc.tuple(fc.nat(4000), fc.nat(255)), { maxLength: 6 }),
        (name, changes) => {
          const octets = Buffer.from(octetsOf(name));
          for (const [at, value] of changes) octets[at % octets.length] = value;
          verdict(octets);
        },
      ),
      { numRuns: 2000 },
    );
  });
});
