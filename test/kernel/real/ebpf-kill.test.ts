/** kill -9 of the router that holds the eBPF back end, while it changes flows: nobody holds the maps then but the kernel. */
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { openEbpfKernel } from "../../../src/kernel/ebpf/open.js";
import type { LinuxKernel } from "../../../src/kernel/linux.js";
import type { DesiredState, FlowRule } from "../../../src/kernel/port.js";
import { SILENT_LOGGER } from "../../../src/model/log.js";
import { kilobitsPerSecond } from "../../../src/model/units.js";
import { reconcile } from "../contract.js";
import { desired, flow, flow6, link } from "../fixtures.js";
import { compileHolder, Holder } from "./ebpf-holder.js";
import { inOwnNamespace } from "./namespace.js";
import { A, B, buildPath, countAt, flood, received } from "./path.js";

const TABLE = "sluice_test";
const KILLS = Number(process.env.SLUICE_KILLS ?? 5);
/** Each life reads and writes 10,000 flows. */
const SECONDS = 60 + 3 * KILLS;
const RESIDENT = 10_000;
const PORT = 7001;

inOwnNamespace(
  import.meta.url,
  () => {
    describe("killed beside 10,000 flows", () => {
      let compiled: ReturnType<typeof compileHolder>;
      const met = flow(20_000, {
        key: {
          protocol: "udp",
          source: { address: A.v4, port: undefined },
          destination: { address: B.v4, port: PORT },
        },
        rate: kilobitsPerSecond(10_000),
      });
      const churned = Array.from({ length: 4 }, (_, at): FlowRule => (at % 2 === 0 ? flow : flow6)(20_001 + at));
      const resident = Array.from({ length: RESIDENT }, (_, at) => (at % 2 === 0 ? flow : flow6)(at + 1));
      const wanted: DesiredState = desired([met, ...resident], {
        interfaces: [link("to-a", 1_000_000), link("to-b", 1_000_000)],
      });
      let observer: LinuxKernel;

      beforeAll(async () => {
        compiled = compileHolder();
        await buildPath();
        await countAt([PORT], [0, 46]);
        observer = await openEbpfKernel({ table: TABLE, log: SILENT_LOGGER, maxFlows: 16_384 });
      });
      afterAll(async () => {
        await observer.cleanup();
        await observer.close();
        compiled.forget();
      });

      it(
        `${KILLS} times: every packet marked and counted, nothing lost, nothing left over`,
        async () => {
          let holder = new Holder(compiled.file, TABLE, wanted, churned);
          expect(await holder.held).toHaveLength(RESIDENT + 3);
          const stop = flood(PORT, 500);
          await vi.waitFor(async () => expect(await received()).not.toEqual({}), { timeout: 10_000 });
          const ids = new Set(churned.map(({ id }) => id));
          let before = 0;
          for (let kill = 1; kill <= KILLS; kill += 1) {
            await sleep(150 + ((37 * kill) % 400));
            await holder.kill();
            // By another process: this one held nothing until now, or the maps of the one before.
            const observed = await observer.read();
            expect(observed.structure).toBe(true);
            const left = observer.plan(wanted, observed);
            for (const change of left) {
              expect(change.kind).toBe("flow.remove");
              expect(ids.has(change.kind === "flow.remove" ? change.rule.id : 0)).toBe(true);
            }
            const { packets } = observed.flows.get(met.id)!.counters.inProfile;
            expect(packets).toBeGreaterThan(before);
            before = packets;
            holder = new Holder(compiled.file, TABLE, wanted, churned);
            const changed = await holder.held;
            expect(changed).toHaveLength(left.length);
          }
          await stop();
          await holder.kill();
          await reconcile(observer, wanted);
          expect(observer.plan(wanted, await observer.read())).toEqual([]);
          await vi.waitFor(
            async () => {
              const { inProfile, outOfProfile } = (await observer.counters([met])).get(met.id)!;
              expect(outOfProfile.packets).toBe(0);
              expect(await received()).toEqual({ [`${PORT}/46`]: inProfile.packets });
            },
            { timeout: 10_000 },
          );
          expect(before).toBeGreaterThan(100);
        },
        SECONDS * 1000,
      );
    });
  },
  SECONDS + 30,
);
