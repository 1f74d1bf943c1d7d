import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { afterEach, describe, expect, it } from "vitest";
import { SYSTEM_CLOCK } from "../../../src/model/clock.js";
import { SystemError } from "../../../src/model/errors.js";
import { SILENT_LOGGER } from "../../../src/model/log.js";
import { millis } from "../../../src/model/units.js";
import { ProxyCore } from "../../../src/sip/proxy/core.js";
import { OPEN_POLICY } from "../../../src/sip/proxy/policy.js";
import { UdpTransport } from "../../../src/sip/transport/udp.js";

const open: UdpTransport[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((transport) => transport.close()));
});

async function listen(address: string, port = 0): Promise<UdpTransport> {
  const transport = await UdpTransport.open({ addresses: [{ address, port }], logger: SILENT_LOGGER });
  open.push(transport);
  return transport;
}

const first = (transport: UdpTransport) => {
  const local = transport.locals[0];
  if (local === undefined) throw new Error("not bound");
  return local;
};

describe("UdpTransport", () => {
  it.each(["127.0.0.1", "::1"])("carries datagrams over %s", async (address) => {
    const [left, right] = [await listen(address), await listen(address)];
    const got = new Promise((resolve) =>
      right.onMessage((octets, remote, local) => resolve({ octets, remote, local })),
    );
    left.send(Buffer.from("hello"), first(left), first(right), (cause) => expect.unreachable(cause.message));
    expect(await got).toEqual({ octets: Buffer.from("hello"), remote: first(left), local: first(right) });
  });

  it("says who to look for when the port is taken", async () => {
    const taken = first(await listen("127.0.0.1"));
    const error = await listen("127.0.0.1", taken.port).catch((cause: unknown) => cause);
    expect(error).toBeInstanceOf(SystemError);
    expect(error).toMatchObject({ code: "SIP_ADDRESS_IN_USE" });
    expect((error as SystemError).remedy).toContain(`:${taken.port}`);
  });

  it("says when the address is on no interface", async () => {
    await expect(listen("192.0.2.99")).rejects.toMatchObject({ code: "SIP_BIND" });
  });

  it("tells of a datagram that cannot be sent", async () => {
    const transport = await listen("127.0.0.1");
    const remote = { address: "127.0.0.1", port: 9, transport: "udp" } as const;
    const cause = await new Promise<Error>((resolve) => {
      transport.send(Buffer.alloc(70_000), first(transport), remote, resolve);
    });
    expect(cause.message).toContain("EMSGSIZE");
    const stranger = { address: "127.0.0.9", port: 1, transport: "udp" } as const;
    expect(await new Promise((resolve) => transport.send(Buffer.alloc(1), stranger, remote, resolve))).toMatchObject({
      code: "SIP_NO_SOCKET",
    });
  });
});

/** A port that was free a moment ago. */
async function freePort(): Promise<number> {
  const transport = await UdpTransport.open({ addresses: [{ address: "127.0.0.1", port: 0 }], logger: SILENT_LOGGER });
  const { port } = first(transport);
  await transport.close();
  return port;
}

describe("with SIPp, an agent that was not written here", () => {
  it("carries ten calls over loopback and forgets them all", async () => {
    const transport = await listen("127.0.0.1");
    const proxy = first(transport);
    const [calleePort, callerPort] = [await freePort(), await freePort()];
    const ended: string[] = [];
    const core = new ProxyCore({
      transport,
      clock: SYSTEM_CLOCK,
      logger: SILENT_LOGGER,
      policy: { ...OPEN_POLICY, ended: async (context, kind) => void ended.push(`${kind} ${context.session}`) },
      table: {
        domains: [],
        users: new Map([["service", { host: "127.0.0.1", port: calleePort }]]),
        routes: new Map(),
      },
      timers: { t4: millis(200) },
    });
    const folder = await mkdtemp(join(tmpdir(), "sluice-sipp-"));
    const common = ["-i", "127.0.0.1", "-mi", "127.0.0.1", "-m", "10", "-nostdin", "-timeout", "15"];
    try {
      const callee = execa("sipp", ["-sn", "uas", "-p", String(calleePort), ...common], { cwd: folder, reject: false });
      const target = `127.0.0.1:${proxy.port}`;
      const caller = await execa(
        "sipp",
        ["-sn", "uac", target, "-p", String(callerPort), "-s", "service", "-r", "10", "-d", "50", ...common],
        { cwd: folder, reject: false },
      );
      // SIPp's own scenario does not follow Record-Route: its ACK and BYE come to the proxy with the callee's user.
      expect(caller.exitCode, caller.stdout.slice(-2000)).toBe(0);
      expect((await callee).exitCode).toBe(0);
    } finally {
      await rm(folder, { recursive: true, force: true });
      core.close();
    }
    expect(ended).toHaveLength(10);
    expect(new Set(ended).size).toBe(10);
    expect(ended.every((line) => line.startsWith("bye "))).toBe(true);
    expect(core.liveDialogs).toBe(0);
    expect(core.counters.unreadable).toBe(0);
  }, 20_000);
});
