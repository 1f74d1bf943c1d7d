/** What a policy server says of one call of four flows: the rows, and the COPS messages that carry them. */
import { decodeMessage } from "../src/cops/codec/decode.js";
import { encodeMessage } from "../src/cops/codec/encode.js";
import { decodeProvisioning, encodeProvisioning, type Provisioning } from "../src/cops/pr/decision.js";
import { sessionIdOf } from "../src/model/session.js";
import { dscp, kilobitsPerSecond, octets } from "../src/model/units.js";
import { type BasePolicy, basePolicy } from "../src/pdp/router/base-policy.js";
import { flowBindings, flowRemovals, tokenBucketRow } from "../src/pdp/router/flow-rows.js";
import { FLOWS_PER_CALL } from "./call.js";

export const POLICY: BasePolicy = basePolicy(
  [{ id: 1, name: "voice", rate: kilobitsPerSecond(1_000_000) }],
  [{ name: "voice", pool: "voice", dscp: dscp(46), outOfProfile: { action: "drop" } }],
);
const TRAFFIC = { rate: kilobitsPerSecond(80), burst: octets(1000), packetsPerSecond: 50 };

/** RTP and RTCP both ways, as a policy server would say it. */
export function installOf(call: number): Provisioning {
  const targets = POLICY.targets.get("voice");
  if (targets === undefined) throw new Error("the policy has no voice");
  const session = sessionIdOf(`bench-${call}`, "tag");
  const [own, far] = [`10.${call >> 16}.${(call >> 8) & 255}.${call & 255}`, "10.200.0.10"];
  const port = 10_000 + 2 * (call % 25_000);
  const bindings = [0, 1, 0, 1].flatMap((component, index) => {
    const [here, there] = [
      { address: own, port: port + component },
      { address: far, port: port + component },
    ];
    const [source, destination] = index < 2 ? [here, there] : [there, here];
    const packetSize = component === 0 ? octets(200) : undefined;
    const key = { protocol: "udp", source, destination } as const;
    return flowBindings({
      instance: call * FLOWS_PER_CALL + index + 1,
      session,
      key,
      parameters: 1,
      targets,
      packetSize,
      tunnel: undefined,
    });
  });
  return { removals: [], bindings: [tokenBucketRow(1, TRAFFIC), ...bindings] };
}

export const removeOf = (call: number): Provisioning => ({
  removals: Array.from({ length: FLOWS_PER_CALL }, (_, index) =>
    flowRemovals(call * FLOWS_PER_CALL + index + 1),
  ).flat(),
  bindings: [],
});

export const messageOf = (provisioning: Provisioning): Buffer =>
  encodeMessage({
    op: "DEC",
    clientType: 2,
    solicited: false,
    handle: Buffer.from("00000001", "hex"),
    decisions: encodeProvisioning(provisioning),
  });

export function provisioningOf(message: Buffer): Provisioning {
  const decoded = decodeMessage(message);
  const decision = decoded.op === "DEC" ? decodeProvisioning(decoded) : undefined;
  if (decision?.kind !== "transaction") throw new Error("not a transaction");
  return decision;
}
