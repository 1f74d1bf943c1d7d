/** What is asked for a flow. */
import type { TrafficSpec } from "../../model/flow.js";
import type { MediaSecurity, QualityNeed } from "../../model/quality.js";
import type { WayFlow } from "../pools/choose-pools.js";

/** What the parties say of a flow's medium, beyond its traffic. */
export interface FlowAsk {
  /** Index of its m= line, and of others whose packets travel in it. */
  readonly index: number;
  readonly shared?: readonly number[] | undefined;
  /** `audio`, `video` … */
  readonly media?: string | undefined;
  /** RTCP that has a flow of its own. */
  readonly isControl?: boolean | undefined;
  /** As the agents name it. */
  readonly sessionClass?: string | undefined;
  readonly need?: QualityNeed | undefined;
  /** Traffic at the worst acceptable rate. */
  readonly least?: TrafficSpec | undefined;
  /** The session may not go on unless this side's network reserves for it (RFC 3312 §5.1). */
  readonly mandatory?: boolean | undefined;
  /** What the descriptions give; not looked at if nobody told. */
  readonly security?: MediaSecurity | undefined;
}

/** A flow, or what is known of it before its key is. Its traffic is what is wanted. */
export interface AskedFlow extends WayFlow {
  readonly ask?: FlowAsk | undefined;
}
