/** Counters as accounting rows (RFC 3084 §5.3.2). Octets are layer 3. */
import type { Binding } from "../../cops/pr/bindings.js";
import { pib } from "../../cops/pr/pib/index.js";
import { encodeRow, pridOf } from "../../cops/pr/prc.js";
import type { FlowId } from "../../kernel/port.js";
import type { FlowCounters } from "../../model/usage.js";

export const usageBindings = (counters: ReadonlyMap<FlowId, FlowCounters>): readonly Binding[] =>
  [...counters].map(([id, { inProfile, outOfProfile }]) =>
    encodeRow(pib.sluiceUsage, id, {
      clfrElement: pridOf(pib.dsClfrElement, id),
      inProfilePackets: BigInt(inProfile.packets),
      inProfileOctets: BigInt(inProfile.octets),
      outOfProfilePackets: BigInt(outOfProfile.packets),
      outOfProfileOctets: BigInt(outOfProfile.octets),
    }),
  );
