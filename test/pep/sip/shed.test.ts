import { beforeEach, describe, expect, it, vi } from "vitest";
import { type Bench, benches, context, sip } from "./bench.js";

const current = benches();
let bench: Bench;
beforeEach(() => {
  bench = current();
});
const call = (callId?: string) => bench.call(callId);

describe("a session whose bandwidth is taken back", () => {
  const REASON = 'Reason: Preemption ;cause=2 ;text="Reserved Resources Preempted"';
  const session = context().session;
  const hangUp = () => bench.proxy.ended(context(), "bye", sip("BYE sip:bob@b.example SIP/2.0"));
  const told = (count: number) => vi.waitFor(() => expect(bench.told).toHaveLength(count), 3000);

  it("is hung up by its proxy, and its usage says why, up to the moment at which it was taken", async () => {
    await call();
    await bench.service?.shed(session, "voice");
    await told(1);
    expect(bench.told).toEqual([`hang up ${session}: ${REASON}; 503`]);
    expect(bench.proxy.dialogs()).toMatchObject([{ phase: "policed", shed: "bye" }]);
    await hangUp();
    const [record] = bench.settled;
    expect(record).toMatchObject({ cause: "preempted", ended: record?.shed?.at });
    expect(bench.proxy.dialogs()).toEqual([]);
  });

  it("goes on where its class says so; the parties are told once", async () => {
    await bench.stopProxy();
    await bench.stopServer();
    bench.whenShed = "bestEffort";
    await bench.startServer();
    await bench.startProxy();
    await bench.connected();
    await call();
    await bench.service?.shed(session, "voice");
    await told(1);
    expect(bench.told[0]).toMatch(/^notify \w+: Warning: 370 pol1\.a\.example "[^"]+ without a guarantee"$/);
    await bench.stopServer();
    await vi.waitFor(() => expect(bench.client?.state).not.toBe("open"));
    await bench.startServer();
    await bench.connected();
    await hangUp();
    expect(bench.told).toHaveLength(1);
    expect(bench.settled[0]).toMatchObject({ cause: "bye" });
  });

  it("is told again after every reconnection, until it is over", async () => {
    await call();
    await bench.service?.shed(session, "voice");
    await told(1);
    await bench.stopServer();
    await vi.waitFor(() => expect(bench.client?.state).not.toBe("open"));
    await bench.startServer();
    await told(2);
    await bench.stopProxy();
    await bench.startProxy();
    await told(3);
    await hangUp();
    expect(bench.settled[0]?.cause).toBe("preempted");
  });

  it("is told when its proxy comes back, if that was away", async () => {
    await call();
    await bench.stopProxy();
    await bench.service?.shed(session, "voice");
    expect(bench.told).toEqual([]);
    await bench.startProxy();
    await told(1);
  });

  it("is let go all the same where nobody knows how its parties are reached: no BYE of theirs need ever pass", async () => {
    await call();
    bench.controllable = false;
    await bench.service?.endByServer(session, "expired");
    await vi.waitFor(() => expect(bench.settled).toHaveLength(1), 3000);
    expect(bench.settled[0]).toMatchObject({ state: "closed", cause: "expired" });
    await vi.waitFor(() => expect([bench.live(), bench.proxy.dialogs()]).toEqual([[], []]));
  });

  it("that hangs up at the same time is left to its end", async () => {
    await call();
    const ended = hangUp();
    await bench.service?.shed(session, "voice");
    await ended;
    await vi.waitFor(() => expect(bench.settled).toHaveLength(1));
    expect(bench.told).toEqual([]);
  });
});
