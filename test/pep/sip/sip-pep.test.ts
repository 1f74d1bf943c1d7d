import { rmSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, it, vi } from "vitest";
import type { SipRequest } from "../../../src/sip/message/message.js";
import { type Bench, benches, context, invite, response, sdp, sip } from "./bench.js";

const current = benches();
let bench: Bench;
beforeEach(() => {
  bench = current();
});
const call = (callId?: string) => bench.call(callId);

describe("SIP enforcement point", () => {
  it("asks three times in a call's life, and does to the INVITE what it is told", async () => {
    const verdict = await bench.proxy.invite(context(), invite());
    expect(verdict).toMatchObject({
      forward: true,
      addHeaders: [{ name: "X-Token", value: "t" }],
      nextHop: { host: "10.3.0.5", port: 5060 },
    });
    await bench.proxy.response(context(), response(180));
    await bench.proxy.response(context(), response(200));
    await bench.proxy.ended(context(), "bye", sip("BYE sip:bob@b.example SIP/2.0"));
    expect(bench.asked).toEqual(["REQ AAA", "REQ LDP", "REQ noLDP"]);
    expect(bench.settled).toHaveLength(1);
    expect(bench.settled[0]?.answered).toBeGreaterThan(0);
    expect(bench.proxy.dialogs()).toEqual([]);
  });

  it("asks again when the 200 says something new", async () => {
    await bench.proxy.invite(context(), invite());
    await bench.proxy.response(context(), response(180, ""));
    await bench.proxy.response(context(), response(200, sdp("10.3.0.10", 7000)));
    expect(bench.asked).toEqual(["REQ AAA", "REQ LDP", "REQ LDP"]);
    expect(bench.changes.map(({ install, remove }) => [install.length, remove.length])).toEqual([
      [2, 0],
      [4, 2],
    ]);
  });

  it("asks again about what was granted, until a message has told the parties", async () => {
    const negotiated = (address: string) => `${sdp(address, 6000)}a=sluice-need:sendrecv rate=64\r\n`;
    const come = (status: number) => bench.proxy.response(context(), response(status, negotiated("10.3.0.10")));
    const invitation = sip("INVITE sip:bob@b.example SIP/2.0", negotiated("10.1.0.10")) as SipRequest;
    await bench.proxy.invite(context(), invitation);
    const told = { name: "Sluice-Granted", value: expect.stringMatching(/^0;.*result=granted;to-caller=64;/) };
    for (const status of [180, 183]) expect(await come(status)).not.toMatchObject({ addHeaders: [told] });
    expect(await come(200)).toMatchObject({ forward: true, addHeaders: [told], ackHeaders: [told] });
    expect(await come(200)).toEqual({ forward: true });
    expect(bench.asked).toEqual(["REQ AAA", "REQ LDP", "REQ LDP"]);
    expect(bench.changes, "what the router is told").toHaveLength(1);
  });

  it("gives the caller the refusal with its reason", async () => {
    await call("call-1");
    expect(await bench.proxy.invite(context("call-2"), invite("call-2"))).toMatchObject({
      forward: false,
      status: 503,
      headers: [
        {
          name: "Warning",
          value: expect.stringMatching(/^370 pol1\.a\.example "pool voice is full: .* needed, .* free"$/),
        },
        { name: "Retry-After", value: "30" },
      ],
    });
    expect(bench.proxy.dialogs()).toHaveLength(1);
  });

  it("refuses new calls without a policy server, or lets them through as configured", async () => {
    await bench.stopServer();
    await vi.waitFor(() => expect(bench.client?.state).not.toBe("open"));
    expect(await bench.proxy.invite(context(), invite())).toMatchObject({
      forward: false,
      status: 503,
      headers: [{ name: "Warning" }, { name: "Retry-After" }],
    });
    await bench.stopProxy();
    await bench.startProxy("bestEffort");
    expect(await bench.proxy.invite(context(), invite())).toEqual({ forward: true });
    expect(await bench.proxy.response(context(), response(200))).toEqual({ forward: true });
    await bench.stopProxy();
    await bench.startProxy("bestEffort");
    expect(bench.proxy.dialogs().map(({ phase }) => phase)).toEqual(["unpoliced"]);
    expect(bench.proxy.recall("call-1", ["caller", "callee"])?.calleeTag).toBe("callee");
    await bench.proxy.ended(context(), "bye", sip("BYE sip:bob@b.example SIP/2.0"));
    expect(bench.proxy.dialogs()).toEqual([]);
    await bench.startServer();
  });

  it("says again what it holds when the policy server comes back, and nothing is released", async () => {
    await call();
    await bench.stopServer();
    await vi.waitFor(() => expect(bench.client?.state).not.toBe("open"));
    await bench.startServer();
    await bench.connected();
    await vi.waitFor(() => expect(bench.service?.live()).toHaveLength(1));
    await bench.proxy.ended(context(), "bye", sip("BYE sip:bob@b.example SIP/2.0"));
    expect(bench.live()).toEqual([]);
    expect(bench.settled).toHaveLength(1);
    expect(bench.changes.filter(({ install }) => install.length > 0)).toHaveLength(1);
  });

  it("hangs up later what ended while no policy server was there", async () => {
    await call();
    await bench.stopServer();
    await vi.waitFor(() => expect(bench.client?.state).not.toBe("open"));
    await bench.proxy.ended(context(), "bye", sip("BYE sip:bob@b.example SIP/2.0"));
    expect(bench.proxy.dialogs().map(({ phase }) => phase)).toEqual(["ending"]);
    await bench.startServer();
    await vi.waitFor(() => expect(bench.settled).toHaveLength(1), 3000);
    await vi.waitFor(() => expect(bench.proxy.dialogs()).toEqual([]));
  });

  it("still lets go of a call after its own restart", async () => {
    await call();
    await bench.stopProxy();
    await bench.startProxy();
    await bench.connected();
    expect(bench.proxy.recall("call-1", ["caller", "callee"])).toMatchObject({ session: context().session });
    expect(bench.proxy.recall("call-1", ["callee", "caller"])).toMatchObject({ session: context().session });
    expect(bench.proxy.recall("call-1", ["x", "y"])).toBeUndefined();
    await bench.proxy.ended(context(), "bye", sip("BYE sip:bob@b.example SIP/2.0"));
    expect(bench.settled).toHaveLength(1);
  });

  it("ends a call that was still being set up when it stopped", async () => {
    await bench.proxy.invite(context(), invite());
    await bench.proxy.response(context(), response(180));
    await bench.stopProxy();
    await bench.startProxy();
    await vi.waitFor(() => expect(bench.settled).toHaveLength(1), 3000);
    expect(bench.settled[0]?.answered).toBeUndefined();
  });

  it("releases what a proxy has forgotten", async () => {
    await call();
    await bench.stopProxy();
    rmSync(join(bench.directory, "proxy.db"));
    rmSync(join(bench.directory, "proxy.db-wal"), { force: true });
    await bench.startProxy();
    await vi.waitFor(() => expect(bench.settled.map(({ cause }) => cause)).toEqual(["lost"]), 3000);
  });
});
