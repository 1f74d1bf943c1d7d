/** What agents name in their descriptions: a kind of session, the service class it gets, and what that is good for. */
import type { MediaSecurity } from "../../model/quality.js";
import type { BitsPerSecond, Millis } from "../../model/units.js";

/** What the path of a class is promised to give, one-way. What is absent is not promised. */
export interface ClassBudget {
  readonly latency?: Millis | undefined;
  readonly jitter?: Millis | undefined;
  /** Lost packets of all that were sent, 0 to 1. */
  readonly loss?: number | undefined;
}

/** Whether the proxies stay in the dialog, or leave it when it is set up. */
export type AckWay = "routed" | "direct";

export interface SessionClass extends ClassBudget {
  /** As agents name it. */
  readonly name: string;
  /** The service class that its media get. */
  readonly class: string;
  /** Least security that its media must have; any if undefined. */
  readonly security?: MediaSecurity | undefined;
  readonly ack: AckWay;
  /** Most that one direction of a medium gets, counted at layer 3. */
  readonly maxRate?: BitsPerSecond | undefined;
}
