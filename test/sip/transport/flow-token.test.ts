import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseSipUri } from "../../../src/sip/message/uri.js";
import { FlowTokens, newFlowId } from "../../../src/sip/transport/flow-token.js";

describe("FlowTokens (RFC 5626 §5.2)", () => {
  const tokens = new FlowTokens(Buffer.alloc(32, 1));

  it("name one connection, in a user part that needs no escapes", () => {
    const flow = newFlowId();
    const token = tokens.make(flow);
    expect(tokens.read(token)).toEqual({ kind: "flow", flow });
    expect(token).toHaveLength(31);
    expect(parseSipUri(`sip:${token}@192.0.2.1;lr`)?.user).toBe(token);
    expect(newFlowId()).not.toBe(flow);
  });

  it("do not show the connection's name to who has no key", () => {
    const flow = newFlowId();
    expect(new FlowTokens(Buffer.alloc(32, 2)).read(tokens.make(flow))).toEqual({ kind: "forged" });
  });

  it("cannot be changed anywhere", () => {
    const token = tokens.make(newFlowId());
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 30 }), fc.constantFrom(..."ABCxyz019-_"), (at, char) => {
        fc.pre(token[at] !== char);
        const changed = `${token.slice(0, at)}${char}${token.slice(at + 1)}`;
        expect(tokens.read(changed).kind).toBe("forged");
      }),
      // The last character carries fewer bits than others.
      { examples: [..."ABCxyz019-_"].map((char) => [30, char]) },
    );
  });

  it("are told from users, whatever they are called", () => {
    expect(tokens.read(undefined)).toEqual({ kind: "none" });
    const user = fc.string().filter((text) => !text.startsWith("~"));
    fc.assert(fc.property(user, (text) => tokens.read(text).kind === "none"));
    expect(tokens.read(`~${"A".repeat(29)}`)).toEqual({ kind: "none" });
    expect(tokens.read(`~${"A".repeat(31)}`)).toEqual({ kind: "none" });
    expect(tokens.read(`~${"A".repeat(30)}`)).toEqual({ kind: "forged" });
  });
});
