import { beforeEach, describe, expect, it, vi } from "vitest";
import type { DialogContext } from "../../../src/sip/proxy/policy.js";
import { type Bench, benches, context, invite, response, sip } from "./bench.js";

const current = benches();
let bench: Bench;
beforeEach(() => {
  bench = current();
});

describe("a session whose party has left", () => {
  it("is told to the policy server as that, which releases it at once", async () => {
    await bench.call();
    await bench.proxy.ended(context(), "left", sip("BYE sip:bob@b.example SIP/2.0"));
    expect(bench.asked.at(-1)).toBe("REQ noLDP");
    await vi.waitFor(() => expect(bench.settled).toHaveLength(1));
    expect(bench.settled[0]?.cause).toBe("left");
    expect(bench.proxy.dialogs()).toEqual([]);
  });
});

describe("what the proxy could not remember by itself", () => {
  it("is kept with the dialog: who is registered, and that the path was left", async () => {
    const agents = { callee: { aor: "bob@b.example", agent: "urn:uuid:1" } };
    const known = { ...context(), agents, direct: true } as DialogContext;
    await bench.proxy.invite(context(), invite());
    await bench.proxy.response(known, response(200));
    expect(bench.proxy.known()).toMatchObject([{ agents, direct: true }]);
    await bench.stopProxy();
    await bench.startProxy();
    expect(bench.proxy.known()).toMatchObject([{ agents, direct: true }]);
  });
});
