/** A PepClient and a PdpServer that mean each other well. */

import { afterEach, describe, expect, it } from "vitest";
import { REASON } from "../../../src/cops/codec/codes.js";
import { FakeClock } from "../../support/fake-clock.js";
import { ADMISSION, CONFIGURATION, closeAll, handleOf, INSTALL, pdp, pep, settled, until } from "./support.js";

afterEach(closeAll);

const H = handleOf("h1");

describe("a PEP and its PDP", () => {
  it("opens, asks, is told, reports, deletes and closes", async () => {
    const server = await pdp({ request: () => Promise.resolve({ decisions: INSTALL }) });
    const { client, log, decisions } = pep(server.port);
    await until(() => client.state === "open");
    const dec = await client.request({ handle: H, context: CONFIGURATION });
    expect(dec).toMatchObject({ solicited: true, decisions: INSTALL });
    client.report(H, { type: "success", solicited: true });
    await until(() => server.log.includes("report h1 success true"));
    const peer = server.peers[0]!;
    const reported = peer.decide(H, INSTALL);
    await until(() => decisions.length === 1);
    expect(decisions[0]).toMatchObject({ solicited: false, handle: H });
    client.report(H, { type: "failure", solicited: true });
    expect(await reported).toMatchObject({ reportType: "failure" });
    client.report(H, { type: "accounting" });
    client.deleteRequest(H, { code: REASON.tear, subCode: 0 });
    await until(() => server.log.length === 5);
    expect(client.ends?.local).toBe(peer.remote);
    await client.close();
    await until(() => server.log.length === 6);
    expect(server.log).toEqual([
      "opened r1/2#0",
      "request h1",
      "report h1 success true",
      "report h1 accounting false",
      "deleted h1 4",
      "closed r1/2#0: closed by the PEP, error 11",
    ]);
    expect(log).toEqual(["up", "down: closed here"]);
  });

  it("agree on how often accounting is reported: what the Client-Accept says, or nothing (RFC 2748 §3.7)", async () => {
    for (const accounting of [15, 0, undefined]) {
      const said = accounting === undefined ? {} : { accounting };
      const server = await pdp({ open: () => ({ accept: true, keepAlive: 0, ...said }) });
      const told: unknown[] = [];
      const { client } = pep(server.port, { handlers: { up: (interval) => told.push(interval) } });
      await until(() => client.state === "open");
      expect(told).toEqual([accounting === undefined ? undefined : accounting * 1000]);
    }
  });

  it("gives each decision its own report, in order, also when many are under way", async () => {
    const server = await pdp();
    const { client, decisions } = pep(server.port);
    await until(() => client.state === "open");
    await client.request({ handle: H, context: CONFIGURATION });
    const reports = Array.from({ length: 50 }, () => server.peers[0]!.decide(H, INSTALL));
    await until(() => decisions.length === 50);
    client.report(H, { type: "success", solicited: true });
    for (let n = 0; n < 50; n += 1) client.report(H, { type: n % 3 === 0 ? "failure" : "success", solicited: true });
    const types = (await Promise.all(reports)).map(({ reportType }) => reportType);
    expect(types).toEqual(Array.from({ length: 50 }, (_, n) => (n % 3 === 0 ? "failure" : "success")));
    expect(server.log.filter((line) => line.startsWith("report"))).toEqual(["report h1 success true"]);
  });

  it("does not take a report that came too late for that of the next decision", async () => {
    const clock = new FakeClock();
    const server = await pdp({}, { clock });
    const { client, decisions } = pep(server.port);
    await until(() => client.state === "open");
    await client.request({ handle: H, context: CONFIGURATION });
    client.report(H, { type: "success", solicited: true });
    await until(() => server.log.length === 3);
    const first = server.peers[0]!.decide(H, INSTALL);
    const missed = expect(first).rejects.toMatchObject({ code: "COPS_TIMEOUT", family: "protocol" });
    clock.advance(2000);
    await missed;
    const second = server.peers[0]!.decide(H, INSTALL);
    await until(() => decisions.length === 2);
    client.report(H, { type: "failure", solicited: true });
    client.report(H, { type: "success", solicited: true });
    expect(await second).toMatchObject({ reportType: "success" });
  });

  it("understands a PEP that never sets the solicited flag (facts: some do not)", async () => {
    const server = await pdp();
    const { client, decisions } = pep(server.port);
    await until(() => client.state === "open");
    await client.request({ handle: H, context: CONFIGURATION });
    client.report(H, { type: "success" });
    await until(() => server.log.length === 3);
    // The role sees it as the answer that it is.
    expect(server.log[2]).toBe("report h1 success true");
    const reports = [server.peers[0]!.decide(H, INSTALL), server.peers[0]!.decide(H, INSTALL)];
    await until(() => decisions.length === 2);
    client.report(H, { type: "accounting" });
    client.report(H, { type: "failure" });
    client.report(H, { type: "success" });
    expect((await Promise.all(reports)).map(({ reportType }) => reportType)).toEqual(["failure", "success"]);
    expect(server.log[3]).toBe("report h1 accounting false");
  });

  it("does not wait for reports on decisions about an outsourced event", async () => {
    const server = await pdp({}, { limits: { maxUnreported: 3 } });
    const { client } = pep(server.port, { clientType: 0x5349 });
    await until(() => client.state === "open");
    for (let n = 0; n < 20; n += 1) await client.request({ handle: H, context: ADMISSION });
    client.report(H, { type: "success", solicited: true });
    await until(() => server.log.includes("report h1 success true"));
    expect(client.state).toBe("open");
  });

  it("sends a PEP away that leaves more decisions without a report than the limit", async () => {
    const server = await pdp({}, { limits: { maxUnreported: 3 } });
    const { client, log } = pep(server.port);
    await until(() => client.state === "open");
    const reports = Array.from({ length: 5 }, () => server.peers[0]!.decide(H, INSTALL));
    const results = await Promise.allSettled(reports);
    expect(results.map(({ status }) => status)).toEqual(new Array(5).fill("rejected"));
    await until(() => log.includes("down: closed by the PDP, error 9"));
    expect(server.log[1]).toBe("closed r1/2#0: its reports do not come");
    await until(() => client.state === "open");
  });

  it("asks for a synchronisation, of one handle and of all, and hears when it is done", async () => {
    const server = await pdp();
    const { client, log } = pep(server.port, {
      handlers: {
        synchronize: (handle) => client.synchronizeComplete(handle),
      },
    });
    await until(() => client.state === "open");
    server.peers[0]!.synchronize();
    server.peers[0]!.synchronize(H);
    await until(() => server.log.length === 3);
    expect(log).toEqual(["up", "synchronize all", "synchronize h1"]);
    expect(server.log.slice(1)).toEqual(["synchronized all", "synchronized h1"]);
  });

  it("keeps to one request of a handle at a time and answers in order, handles side by side", async () => {
    const gates: (() => void)[] = [];
    const server = await pdp({
      request: () => new Promise((resolve) => gates.push(() => resolve({ decisions: [] }))),
    });
    const { client } = pep(server.port);
    await until(() => client.state === "open");
    const order: string[] = [];
    const ask = (handle: string, tag: string) =>
      client.request({ handle: handleOf(handle), context: ADMISSION }).then(() => order.push(tag));
    const asked = [ask("a", "a1"), ask("a", "a2"), ask("b", "b1")];
    await until(() => gates.length === 2);
    expect(server.log.slice(1)).toEqual(["request a", "request b"]);
    gates[1]!();
    await until(() => order.length === 1);
    gates[0]!();
    await until(() => gates.length === 3);
    gates[2]!();
    await Promise.all(asked);
    expect(order).toEqual(["b1", "a1", "a2"]);
  });

  it("gives up a request that is not decided in time; its answer is not taken for that of the next", async () => {
    const clock = new FakeClock();
    const gates: ((decisions: typeof INSTALL) => void)[] = [];
    const server = await pdp({
      request: () => new Promise((resolve) => gates.push((decisions) => resolve({ decisions }))),
    });
    const { client } = pep(server.port, { clock });
    await until(() => client.state === "open");
    const asked = expect(client.request({ handle: H, context: ADMISSION })).rejects.toMatchObject({
      code: "COPS_TIMEOUT",
    });
    await until(() => gates.length === 1);
    clock.advance(2000);
    await asked;
    expect(clock.pending).toBe(0);
    const again = client.request({ handle: H, context: ADMISSION });
    client.report(handleOf("mark"), { type: "accounting" });
    await until(() => server.log.length === 3);
    // The role is told in order: the end after the request that it is busy with, and then the new one.
    expect(server.log.slice(1)).toEqual(["request h1", "report mark accounting false"]);
    gates[0]!(INSTALL);
    await until(() => gates.length === 2);
    expect(server.log.slice(3)).toEqual(["deleted h1 5", "request h1"]);
    gates[1]!([]);
    expect(await again).toMatchObject({ decisions: [] });
  });

  it("fails what waits when the handle is deleted or the connection is closed", async () => {
    const server = await pdp({ request: () => new Promise(() => undefined) });
    const { client } = pep(server.port);
    await until(() => client.state === "open");
    const deleted = expect(client.request({ handle: H, context: ADMISSION })).rejects.toMatchObject({
      code: "COPS_DELETED",
    });
    client.deleteRequest(H, { code: REASON.tear, subCode: 0 });
    await deleted;
    const down = expect(client.request({ handle: H, context: ADMISSION })).rejects.toMatchObject({ code: "COPS_DOWN" });
    const busy = pep(server.port, { pepId: "r2", limits: { maxHandles: 0 } });
    await until(() => busy.client.state === "open");
    await expect(busy.client.request({ handle: H, context: ADMISSION })).rejects.toMatchObject({ code: "COPS_BUSY" });
    await client.close();
    await down;
    await expect(client.request({ handle: H, context: ADMISSION })).rejects.toMatchObject({ code: "COPS_DOWN" });
  });

  it("rejects at once what no object can hold, at both ends, and goes on", async () => {
    const tooLong = [{ context: ADMISSION, command: 1, flags: 0, named: Buffer.alloc(70_000) }];
    let body = tooLong;
    const server = await pdp({ request: () => Promise.resolve({ decisions: body }) });
    const { client } = pep(server.port);
    await until(() => client.state === "open");
    const signaled = [Buffer.alloc(70_000)];
    await expect(client.request({ handle: H, context: ADMISSION, signaled })).rejects.toMatchObject({
      code: "COPS_OBJECT_TOO_LONG",
    });
    expect(await client.request({ handle: H, context: ADMISSION })).toMatchObject({ error: { code: 4 } });
    await expect(server.peers[0]!.decide(H, tooLong)).rejects.toMatchObject({ code: "COPS_OBJECT_TOO_LONG" });
    body = INSTALL;
    expect(await client.request({ handle: H, context: ADMISSION })).toMatchObject({ decisions: INSTALL });
  });
});

describe("roles with defects", () => {
  const fail = (): never => {
    throw new Error("defect");
  };

  it("of the PDP cost neither the process nor the answer", async () => {
    const server = await pdp({
      request: fail,
      report: fail,
      deleted: fail,
      synchronized: fail,
      opened: fail,
      closed: fail,
    });
    const { client } = pep(server.port);
    await until(() => client.state === "open");
    expect(await client.request({ handle: H, context: ADMISSION })).toMatchObject({ error: { code: 4, subCode: 0 } });
    client.report(H, { type: "accounting" });
    client.synchronizeComplete();
    client.deleteRequest(H, { code: 4, subCode: 0 });
    await client.close();
    await until(() => server.log.some((line) => line.startsWith("closed")));
    expect(server.errors.filter((event) => event === "cops.handler-failed")).toHaveLength(5);
  });

  it("of the PDP let nobody in", async () => {
    const server = await pdp({ open: fail });
    const { client, log } = pep(server.port);
    await until(() => server.errors.length > 0);
    expect(client.state).not.toBe("open");
    expect(log).toEqual([]);
  });

  it("of the PEP do not stop it", async () => {
    const server = await pdp();
    const { client, log, errors } = pep(server.port, {
      handlers: { up: fail, down: fail, decision: fail, synchronize: fail },
    });
    await until(() => client.state === "open");
    await client.request({ handle: H, context: ADMISSION });
    server.peers[0]!.synchronize();
    const report = expect(server.peers[0]!.decide(H, INSTALL)).rejects.toMatchObject({ code: "COPS_DOWN" });
    await until(() => errors.length === 3);
    server.peers[0]!.close({ code: 11, subCode: 0 }, "test");
    await report;
    await until(() => log.filter((line) => line === "up").length === 2);
  });

  it("close from inside any handler, once and for all", async () => {
    for (const handler of ["up", "down", "decision", "synchronize"] as const) {
      const clock = new FakeClock();
      const server = await pdp();
      let closed: Promise<void> | undefined;
      const close = (): void => {
        closed = client.close();
      };
      const { client } = pep(server.port, { clock, handlers: { [handler]: close } });
      await until(() => server.peers.length === 1);
      if (handler !== "up") {
        await until(() => client.state === "open");
        await client.request({ handle: H, context: ADMISSION });
        server.peers[0]!.synchronize();
        server.peers[0]!.decide(H, INSTALL).catch(() => undefined);
        server.peers[0]!.close({ code: 11, subCode: 0 }, "test");
      }
      await until(() => closed !== undefined);
      await closed;
      await settled();
      expect({ handler, state: client.state, timers: clock.pending }).toEqual({ handler, state: "closed", timers: 0 });
    }
  });
});
