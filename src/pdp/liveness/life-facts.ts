/** What a session's record says about its life. Pure. */
import type { FlowDirection } from "../../model/flow.js";
import { type InstalledFlow, isLive, type SessionRecord } from "../session-record.js";
import type { LifeFacts, MediaState } from "./session-life.js";

/** Undefined for a session that is over, or is being ended. */
export function lifeFacts(record: SessionRecord): LifeFacts | undefined {
  const { created, answered, flows, shed, directives } = record;
  if (!isLive(record) || shed?.treatment === "bye") return undefined;
  const instances = flows.map(({ instance }) => instance);
  // While it rings no packet is expected. Who says 180 each minute may go on for ever (RFC 3261 §16.7 step 2): not with us.
  const media = answered === undefined ? "none" : mediaState(record);
  return { since: answered ?? created, media, instances, direct: directives.direct === true };
}

function mediaState({ flows, past, treatment, shed }: SessionRecord): MediaState {
  if (treatment !== "assured" || shed !== undefined) return "none";
  const ways: readonly FlowDirection[] = ["up", "down"];
  // RFC 3264 §8.4: on hold the gate of a direction is closed. One that never was open carries nothing by agreement.
  const isHeld = ways.some((way) => !hasMedia(flows, way) && hasMedia(past, way));
  return isHeld || flows.length === 0 ? "held" : "open";
}

const hasMedia = (flows: readonly InstalledFlow[], way: FlowDirection): boolean =>
  flows.some(({ flow }) => flow.direction === way && flow.component !== "rtcp");
