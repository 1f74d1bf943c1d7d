/** One unidirectional flow of a session's media, as its descriptions have it. */
import type { FlowKey, TrafficSpec } from "../../model/flow.js";
import type { MediaSecurity, QualityNeed } from "../../model/quality.js";
import type { NeedChanges } from "./quality/agreement.js";

export type Party = "caller" | "callee";

export interface MediaFlow {
  /** Undefined while the place that it goes to is not known: reserve, install nothing. */
  readonly key: FlowKey | undefined;
  readonly toward: Party;
  /** `audio`, `video` … */
  readonly media: string;
  /** Index of its m= line. */
  readonly index: number;
  readonly component: "rtp" | "rtcp" | "data";
  /** `closed` on hold: the reservation stays, no packet is let through (RFC 3264 §8.4). */
  readonly gate: "open" | "closed";
  readonly traffic: TrafficSpec;
  /** What is agreed for this direction; while there is no answer, what the offer asks for. None of RTCP beside it. */
  readonly need?: QualityNeed;
  /** What the answer did with each parameter that the offer needs in this direction; absent while there is no answer. */
  readonly changes?: NeedChanges;
  /** As the agents name it. */
  readonly sessionClass?: string;
  /** Traffic at the worst acceptable rate; absent where there is no range. */
  readonly least?: TrafficSpec;
  /** Whose access networks have to reserve for it before the callee is alerted (RFC 3312); absent: nobody's. */
  readonly mandatory?: readonly Party[];
  /** What the descriptions give; the lowest of the media that share the flow. Always told by `flowsOf`. */
  readonly security?: MediaSecurity;
  /** Further m= lines whose packets travel in it (BUNDLE, RFC 9143). */
  readonly shared?: readonly number[];
}
