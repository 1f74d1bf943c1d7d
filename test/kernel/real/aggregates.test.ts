/** Packets of aggregates that only pass: into their class, and not one more. */
import { execa } from "execa";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { type LinuxKernel, openLinuxKernel } from "../../../src/kernel/linux.js";
import type { AggregateMatch, DesiredState, PoolClass } from "../../../src/kernel/port.js";
import { SILENT_LOGGER } from "../../../src/model/log.js";
import { dscp, kilobitsPerSecond } from "../../../src/model/units.js";
import { reconcile } from "../contract.js";
import { desired, flow, link, pool } from "../fixtures.js";
import { inOwnNamespace, run } from "./namespace.js";
import { A, B, type Burst, buildPath, countAt, received, send } from "./path.js";

const EF = 46;
const AF41 = 34;
const PACKETS = 50;
const RESIZES = 6;
const PATIENCE = { timeout: 20_000, interval: 20 };
const [SESSION, VOICE, VIDEO, TUNNEL] = [1, 0x4000, 0x4001, 0x4002] as const;
const SESSION_PORT = 6001;
const SERVER_PORT = 5060;
/** What a sends to these ports has their code point; to any other, 0. */
const EF_PORTS = [SESSION_PORT, 7001, 7002, 4789, SERVER_PORT] as const;
const AF41_PORTS = [7003] as const;

const by = (code: number): AggregateMatch => ({ by: "codePoint", dscp: dscp(code) });
const OUTER: AggregateMatch = {
  by: "flow",
  protocol: 17,
  source: { address: A.v4, port: 50_000 },
  destination: { address: B.v4, port: 4789 },
};
const aggregate = (id: number, kilobits: number, ...carries: readonly AggregateMatch[]): PoolClass => ({
  ...pool(id, kilobits, `rsvp-${id}`),
  only: "to-b",
  carries,
});

const burst = (port: number, family: "v4" | "v6" = "v4", from = 5000): Burst => ({
  from: { address: A[family], port: from },
  to: { address: B[family], port },
  packets: PACKETS,
  size: 200,
});

/** 20 octets of IP protocol `protocol`, so often, as fast as it goes. */
const RAW = `
import socket, sys
protocol, address, times = int(sys.argv[1]), sys.argv[2], int(sys.argv[3])
family = socket.AF_INET6 if ":" in address else socket.AF_INET
raw = socket.socket(family, socket.SOCK_RAW, protocol)
for _ in range(times): raw.sendto(bytes(20), (address, 0))
`;
async function sendRaw(namespace: string | undefined, protocol: number, address: string, times: number): Promise<void> {
  const command = ["python3", "-c", RAW, `${protocol}`, address, `${times}`];
  const [program = "", ...args] = namespace === undefined ? command : ["ip", "netns", "exec", namespace, ...command];
  await execa(program, args);
}

async function markAtA(): Promise<void> {
  const rules = [
    ...(["ip", "ip6"] as const).flatMap((ip) => [
      `udp dport { ${EF_PORTS.join(", ")} } ${ip} dscp set ${EF}`,
      `udp dport { ${AF41_PORTS.join(", ")} } ${ip} dscp set ${AF41}`,
    ]),
  ];
  const text = `table inet sender { chain out { type filter hook output priority 0; ${rules.join("; ")}; }; }`;
  await run("ip", "netns", "exec", "a", "nft", text);
}

inOwnNamespace(
  import.meta.url,
  () => {
    describe("aggregates through the router", () => {
      let kernel: LinuxKernel;
      const media = (family: "v4" | "v6") => ({
        protocol: "udp" as const,
        source: { address: A[family], port: 5000 },
        destination: { address: B[family], port: SESSION_PORT },
      });
      const generous = { rate: kilobitsPerSecond(1_000_000), dscp: dscp(EF), pool: SESSION };
      const state = (...pools: readonly PoolClass[]): DesiredState =>
        desired([flow(1, { ...generous, key: media("v4") }), flow(2, { ...generous, key: media("v6") })], {
          interfaces: [link("to-b", 1_000_000)],
          pools: [pool(SESSION, 2000), ...pools],
          signalling: [{ protocol: "udp", port: SERVER_PORT, servers: ["198.51.100.99"] }],
          rsvp: true,
        });
      const all = [aggregate(VOICE, 1000, by(EF)), aggregate(VIDEO, 500, by(AF41)), aggregate(TUNNEL, 500, OUTER)];

      /** Packets that each class has sent, by pool or kind. */
      const sent = async (): Promise<Record<string, number>> =>
        Object.fromEntries(
          (await kernel.read()).classes
            .filter(({ kind }) => kind !== "link")
            .map(({ kind, pool: id, sent: { packets } }) => [id ?? kind, packets]),
        );
      /** What these bursts add to each class; best effort left out, for neighbour discovery of others falls into it. */
      const added = async (work: () => Promise<void>, expected: Record<string, number>): Promise<void> => {
        const before = await sent();
        await work();
        const difference = async (): Promise<Record<string, number>> =>
          Object.fromEntries(
            Object.entries(await sent())
              .map(([key, packets]) => [key, packets - (before[key] ?? 0)] as const)
              .filter(([key, packets]) => key !== "default" && packets !== 0),
          );
        await vi.waitFor(async () => expect(await difference()).toEqual(expected), PATIENCE);
      };

      beforeAll(async () => {
        await buildPath();
        await markAtA();
        await countAt([...EF_PORTS, ...AF41_PORTS, 7009], [0, AF41, EF]);
        kernel = await openLinuxKernel({ table: "sluice_test", log: SILENT_LOGGER });
        await reconcile(kernel, state(...all));
      }, 60_000);
      afterAll(async () => {
        await kernel.cleanup();
        await kernel.close();
      });

      it("go into the class of their code point, of both families; others do not", async () => {
        await added(() => send("a", [burst(7001), burst(7001, "v6"), burst(7003), burst(7009), burst(7009, "v6")]), {
          [VOICE]: 2 * PACKETS,
          [VIDEO]: PACKETS,
        });
        // Nobody marked or dropped any.
        expect(await received()).toMatchObject({
          [`7001/${EF}`]: 2 * PACKETS,
          [`7003/${AF41}`]: PACKETS,
          "7009/0": 2 * PACKETS,
        });
      });

      it("leave the sessions of this router where they are, with the same code point", async () => {
        await added(() => send("a", [burst(SESSION_PORT), burst(SESSION_PORT, "v6")]), { [SESSION]: 2 * PACKETS });
        // Another flow to the same port is of no session here.
        await added(() => send("a", [burst(SESSION_PORT, "v4", 5001)]), { [VOICE]: PACKETS });
      });

      it("are told by the outer five-tuple of a tunnel before the code point", async () => {
        await added(() => send("a", [burst(4789, "v4", 50_000), burst(4789, "v4", 50_001)]), {
          [TUNNEL]: PACKETS,
          [VOICE]: PACKETS,
        });
      });

      it("are found behind a port of signalling, too, where no server is", async () => {
        await added(() => send("a", [burst(SERVER_PORT)]), { [VOICE]: PACKETS });
      });

      it("are none of the router's own packets", async () => {
        const own = { ...burst(7001), from: { address: "198.51.100.1", port: 5000 } };
        await run("nft", `table inet own { chain out { type filter hook output priority -200; ip dscp set ${EF}; }; }`);
        await added(() => send(undefined, [own]), {});
        await run("nft", "delete table inet own");
      });

      it("have their RSVP messages among signalling: forwarded and own, of both families, up to half of it", async () => {
        const times = 20;
        for (const protocol of [46, 134]) {
          for (const address of [B.v4, B.v6]) {
            await added(() => sendRaw("a", protocol, address, times), { signalling: times });
            await added(() => sendRaw(undefined, protocol, address, times), { signalling: times });
          }
        }
        await added(() => sendRaw("a", 47, B.v4, times), {});
        const before = (await sent()).signalling ?? 0;
        await sendRaw("a", 46, B.v4, 20_000);
        // 256 kbit/s is 32,000 octets/s: half of it each second, and as much at first, in packets of 40.
        expect(((await sent()).signalling ?? 0) - before).toBeLessThan(5000);
      });

      it("are resized in place under traffic, and none is lost or leaves the class", { timeout: 60_000 }, async () => {
        const chunk = { ...burst(7002), packets: 5000 };
        const ruleset = await run("nft", "list", "chain", "inet", "sluice_test", "aggregates");
        const before = { class: (await sent())[VOICE] ?? 0, received: (await received())[`7002/${EF}`] ?? 0 };
        let resizes = 0;
        let isDone = false;
        const resizing = async (): Promise<void> => {
          for (; !isDone; resizes += 1) {
            const next = state(aggregate(VOICE, 1000 + (resizes % 50) * 10, by(EF)), ...all.slice(1));
            const changes = kernel.plan(next, await kernel.read());
            expect(changes.filter(({ kind }) => kind !== "pool.set")).toEqual([]);
            await kernel.apply(next, changes);
          }
        };
        const resized = resizing();
        let packets = 0;
        for (; resizes < RESIZES; packets += chunk.packets) await send("a", [chunk]);
        isDone = true;
        await resized;
        await vi.waitFor(async () => expect((await sent())[VOICE]).toBe(before.class + packets), PATIENCE);
        expect((await received())[`7002/${EF}`]).toBe(before.received + packets);
        expect(await run("nft", "list", "chain", "inet", "sluice_test", "aggregates")).toBe(ruleset);
      });

      it("come and go without a session's element being touched", async () => {
        await reconcile(kernel, state(...all));
        const counted = await kernel.counters();
        await reconcile(kernel, state());
        await added(() => send("a", [burst(7001), burst(4789, "v4", 50_000)]), {});
        expect(await run("nft", "list", "table", "inet", "sluice_test")).not.toMatch(/carry|aggregates/);
        await reconcile(kernel, state(...all));
        await added(() => send("a", [burst(7001)]), { [VOICE]: PACKETS });
        expect(await kernel.counters()).toEqual(counted);
      });

      it("are repaired when somebody else takes one away or puts one in", async () => {
        const wanted = state(...all);
        await run("nft", "delete", "element", "inet", "sluice_test", `carry_dscp_${EF}`, '{ "to-b" }');
        expect(kernel.plan(wanted, await kernel.read()).map(({ kind }) => kind)).toEqual(["pool.set"]);
        await reconcile(kernel, wanted);
        await run("nft", "add", "element", "inet", "sluice_test", `carry_dscp_${EF}`, '{ "to-a" : 1:4010 }');
        expect((await kernel.read()).structure).toBe(false);
        await reconcile(kernel, wanted);
        expect(kernel.plan(wanted, await kernel.read())).toEqual([]);
        await added(() => send("a", [burst(7001)]), { [VOICE]: PACKETS });
      });

      it("come back, all of them, when somebody else flushes the ruleset", async () => {
        const wanted = state(...all);
        await run("nft", "delete", "table", "inet", "sluice_test");
        const steps = await kernel.render(wanted, kernel.plan(wanted, await kernel.read()));
        for (const { tool, args, input } of steps) await execa(tool, args, { input });
        expect(kernel.plan(wanted, await kernel.read())).toEqual([]);
        await added(() => send("a", [burst(7001), burst(4789, "v4", 50_000)]), {
          [VOICE]: PACKETS,
          [TUNNEL]: PACKETS,
        });
      });
    });
  },
  400,
);
