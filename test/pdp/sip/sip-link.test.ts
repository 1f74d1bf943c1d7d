/** A proxy over COPS and its policy server: session timers that pass, and sessions that the server ended. */
import { describe, expect, it, vi } from "vitest";
import { COMMAND } from "../../../src/cops/codec/codes.js";
import { directivesOf, INVITE, id, message, ok, proxy, sdp, world } from "./sip-world.js";

describe("session timers that pass a proxy", () => {
  it("are read from the answer, from its report, and from what answers offers", async () => {
    const { refreshes, port } = await world();
    const { ask, report } = await proxy(port);
    await ask("invite", INVITE);
    await ask("provisional", message("SIP/2.0 183 Progress", "1 INVITE", ["Session-Expires: 500"], sdp("10.3.0.10")));
    expect(refreshes).toEqual([]);
    const answer = ok("1 INVITE", ["Session-Expires: 1800;refresher=uac"]);
    expect((await ask("answer", answer)).decisions[0]?.command).toBe(COMMAND.install);
    expect(refreshes.splice(0)).toEqual([`${id} 1800000 now`]);
    report(answer);
    await vi.waitFor(() => expect(refreshes.splice(0)).toEqual([`${id} 1800000 now`]));
    await ask(
      "reoffer",
      message("UPDATE sip:bob@10.3.0.10 SIP/2.0", "2 UPDATE", ["Session-Expires: 90"], sdp("10.1.0.10")),
    );
    await ask("reoffer", message("SIP/2.0 491 Pending", "2 UPDATE", ["Session-Expires: 90"]));
    expect(refreshes).toEqual([]);
    await ask("reoffer", message("UPDATE sip:bob@10.3.0.10 SIP/2.0", "3 UPDATE", [], sdp("10.1.0.10")));
    await ask("reoffer", ok("3 UPDATE", ["x: 120"]));
    expect(refreshes).toEqual([`${id} 120000 now`]);
  });

  it("are extended by an UPDATE without an offer, which leaves the flows as they are (RFC 4028 §7.4)", async () => {
    const { service, router, refreshes, port } = await world();
    const { ask } = await proxy(port);
    await ask("invite", INVITE);
    await ask("answer", ok("1 INVITE", ["Session-Expires: 1800"]));
    const before = service.get(id)?.flows;
    refreshes.length = 0;
    await ask("reoffer", message("UPDATE sip:bob@10.3.0.10 SIP/2.0", "2 UPDATE", ["Session-Expires: 1800"]));
    expect((await ask("reoffer", ok("2 UPDATE", ["Session-Expires: 1800"], ""))).decisions[0]?.command).toBe(
      COMMAND.install,
    );
    expect(refreshes).toEqual([`${id} 1800000 now`]);
    expect([service.get(id)?.flows, router.changes.length]).toEqual([before, 1]);
    expect(before?.length).toBeGreaterThan(0);
  });

  it("are extended so as well after an offer that was refused, which is not taken up by it", async () => {
    const { service, router, refreshes, port } = await world();
    const { ask } = await proxy(port);
    await ask("invite", INVITE);
    await ask("answer", ok("1 INVITE", []));
    const before = service.get(id)?.flows;
    const louder = sdp("10.1.0.10").replace("RTP/AVP 0", "RTP/AVP 9");
    await ask("reoffer", message("INVITE sip:bob@10.3.0.10 SIP/2.0", "2 INVITE", [], louder));
    await ask("reoffer", message("SIP/2.0 488 Not Acceptable Here", "2 INVITE", []));
    refreshes.length = 0;
    await ask("reoffer", ok("3 UPDATE", ["Session-Expires: 1800"], ""));
    expect(refreshes).toEqual([`${id} 1800000 now`]);
    expect([service.get(id)?.flows, router.changes.length]).toEqual([before, 1]);
  });

  it("are told apart from what is only said again", async () => {
    const { refreshes, port } = await world();
    const first = await proxy(port);
    const answer = ok("1 INVITE", ["Session-Expires: 1800"]);
    await first.ask("invite", INVITE);
    await first.ask("answer", answer);
    await first.client.close();
    refreshes.length = 0;
    await proxy(port, answer);
    expect(refreshes).toEqual([`${id} 1800000 before`]);
  });
});

describe("a re-INVITE without an offer", () => {
  /** G.722 with a rate of its own. @param port - of the media */
  const other = (address: string, port: number, rate: number) =>
    sdp(address).replace("audio 6000", `audio ${port}`).replace("m=", `b=TIAS:${rate}\r\na=maxprate:50\r\nm=`);
  /** In a request of bob, or what answers it. */
  const fromBob = (octets: Buffer) =>
    Buffer.from(octets.toString().replace(/From: (.*)\r\nTo: (.*)\r\n/, "From: $2\r\nTo: $1\r\n"));

  async function inUse(rate?: number) {
    const { service, router, port, refreshes } = await world(rate);
    const { ask } = await proxy(port);
    await ask("invite", INVITE);
    await ask("answer", ok("1 INVITE", []));
    const before = service.get(id)!;
    const decide = async (octets: Buffer) => {
      const dec = await ask("reoffer", octets);
      const { refusal } = directivesOf(dec);
      return dec.decisions[0]?.command === COMMAND.install ? "granted" : `refused ${refusal?.status}`;
    };
    const ends = () => service.get(id)?.flows.map(({ flow }) => `${flow.key.source.port}>${flow.key.destination.port}`);
    return { service, router, refreshes, before, decide, ends };
  }
  const ack = (cseq: number, body: string) => message("ACK sip:bob@10.3.0.10 SIP/2.0", `${cseq} ACK`, [], body);

  it("has its offer in the 2xx, whose answer in the ACK takes effect", async () => {
    const { service, router, before, decide, ends } = await inUse();
    const offer = other("10.3.0.10", 7000, 40_000);
    expect(await decide(ok("2 INVITE", [], offer))).toBe("granted");
    expect(service.get(id)).toMatchObject({
      flows: before.flows,
      needs: before.needs,
      reoffer: { by: "callee", cseq: 2 },
    });
    expect(router.changes).toHaveLength(1);
    expect(await decide(ack(2, other("10.1.0.10", 8000, 40_000)))).toBe("granted");
    expect(ends()).toEqual(expect.arrayContaining(["8000>7000", "7000>8000"]));
    expect(service.get(id)).toMatchObject({ offer: { by: "callee", sdp: offer }, reoffer: undefined });
    expect(router.changes).toHaveLength(2);
    // Said again by a proxy that synchronises.
    expect(await decide(ack(2, other("10.1.0.10", 8000, 40_000)))).toBe("granted");
    expect(router.changes).toHaveLength(2);
  });

  it("may come from the callee: then the caller offers", async () => {
    const { service, decide, ends } = await inUse();
    // The same number as the caller's INVITE had.
    expect(await decide(fromBob(ok("1 INVITE", [], other("10.1.0.10", 8000, 40_000))))).toBe("granted");
    expect(service.get(id)?.reoffer).toMatchObject({ by: "caller", cseq: 1 });
    expect(await decide(fromBob(ack(1, other("10.3.0.10", 7000, 40_000))))).toBe("granted");
    expect(ends()).toEqual(expect.arrayContaining(["8000>7000", "7000>8000"]));
  });

  it("is refused with its offer where there is no room for that, and what was agreed stays", async () => {
    const { service, router, before, decide } = await inUse(200);
    expect(await decide(ok("2 INVITE", [], other("10.3.0.10", 7000, 900_000)))).toBe("refused 503");
    const needed = sdp("10.3.0.10").replace("RTP/AVP 0\r\n", "RTP/AVP 0\r\na=sluice-need:sendrecv rate=900-800\r\n");
    expect(await decide(ok("3 INVITE", [], needed))).toBe("refused 580");
    expect(service.get(id)).toMatchObject({ flows: before.flows, needs: before.needs, reoffer: undefined });
    // The proxy has answered for it.
    expect(await decide(message("SIP/2.0 580 Precondition Failure", "3 INVITE", []))).toBe("granted");
    expect(router.changes).toHaveLength(1);
  });

  it("stays as it was where the answer in the ACK is refused, or never comes", async () => {
    const { service, router, before, decide, ends } = await inUse();
    const offer = other("10.3.0.10", 7000, 40_000);
    await decide(ok("2 INVITE", [], offer));
    expect(await decide(ack(2, other("192.0.2.1", 8000, 40_000)))).toBe("refused 488");
    expect(service.get(id)).toMatchObject({ flows: before.flows, reoffer: undefined, state: "reserved" });
    await decide(ok("3 INVITE", [], offer));
    expect([service.get(id)?.flows, router.changes.length]).toEqual([before.flows, 1]);
    // The next one begins anew.
    await decide(ok("4 INVITE", [], other("10.3.0.10", 7002, 40_000)));
    await decide(ack(4, other("10.1.0.10", 8002, 40_000)));
    expect(ends()).toEqual(expect.arrayContaining(["8002>7002", "7002>8002"]));
  });

  it("is told from one with an offer that failed before it, as by glare (RFC 3261 §14.1)", async () => {
    const { service, router, before, decide, ends } = await inUse();
    const invite = message("INVITE sip:bob@10.3.0.10 SIP/2.0", "2 INVITE", [], other("10.1.0.10", 9000, 40_000));
    await decide(invite);
    await decide(fromBob(invite));
    await decide(message("SIP/2.0 491 Request Pending", "2 INVITE", []));
    await decide(fromBob(message("SIP/2.0 491 Request Pending", "2 INVITE", [])));
    expect(service.get(id)).toMatchObject({ flows: before.flows, offer: before.offer, reoffer: undefined });
    expect(router.changes).toHaveLength(1);
    await decide(ok("3 INVITE", [], other("10.3.0.10", 7000, 40_000)));
    await decide(ack(3, other("10.1.0.10", 8000, 40_000)));
    expect(ends()).toEqual(expect.arrayContaining(["8000>7000", "7000>8000"]));
  });

  it("only refreshes the session where its 2xx has no offer either", async () => {
    const { service, router, refreshes, before, decide } = await inUse();
    refreshes.length = 0;
    expect(await decide(ok("2 INVITE", ["Session-Expires: 1800"], ""))).toBe("granted");
    expect(refreshes).toEqual([`${id} 1800000 now`]);
    expect([service.get(id), router.changes.length]).toEqual([before, 1]);
  });
});

describe("a session that the server ended", () => {
  it("is told to the proxy at once, with the reason, and again when it comes back without having heard", async () => {
    const { service, router, port } = await world();
    const first = await proxy(port);
    const answer = ok("1 INVITE", []);
    await first.ask("invite", INVITE);
    await first.ask("answer", answer);
    expect(router.installed.size).toBeGreaterThan(0);
    await service.endByServer(id, "idle");
    expect(router.installed.size).toBe(0);
    await vi.waitFor(() => expect(first.decided).toHaveLength(1));
    const [dec] = first.decided;
    expect(dec).toMatchObject({ solicited: false, decisions: [{ command: COMMAND.remove }] });
    expect(directivesOf(dec!)).toMatchObject({ reason: 'Q.850 ;cause=102 ;text="No Media"', session: id });
    await first.client.close();
    const second = await proxy(port, answer);
    await vi.waitFor(() => expect(second.decided).toHaveLength(1));
    expect(directivesOf(second.decided[0]!)).toEqual(directivesOf(dec!));
    await second.ask("bye", message("BYE sip:bob@10.3.0.10 SIP/2.0", "3 BYE", []));
    expect(service.get(id)).toMatchObject({ state: "closed", cause: "idle" });
  });

  it("is closed by a party that left, as the proxy says", async () => {
    const { service, port } = await world();
    const { ask, decided } = await proxy(port);
    await ask("invite", INVITE);
    await ask("answer", ok("1 INVITE", []));
    const dec = await ask("left", message("BYE sip:bob@10.3.0.10 SIP/2.0", "3 BYE", []));
    expect(dec.decisions[0]?.command).toBe(COMMAND.install);
    expect(service.get(id)).toMatchObject({ state: "closed", cause: "left" });
    expect(decided).toEqual([]);
  });
});
