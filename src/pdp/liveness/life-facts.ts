/** What a session's record says about its life. Pure. */
import type { FlowDirection } from "../../model/flow.js";
import { type InstalledFlow, isLive, type SessionRecord } from "../session-record.js";
import type { LifeFacts, MediaState } from "./session-life.js";

/** Undefined for a session that is not answered yet, is over, or is being ended. */
export function lifeFacts(record: SessionRecord): LifeFacts | undefined {
  const { answered, flows, shed, directives } = record;
  if (!isLive(record) || answered === undefined || shed?.treatment === "bye") return undefined;
  const instances = flows.map(({ instance }) => instance);
  return { answered, media: mediaState(record), instances, direct: directives.direct === true };
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
