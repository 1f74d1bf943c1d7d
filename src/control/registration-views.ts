/** Registrations at a SIP proxy, as the control API answers them. */
import type { Timestamp } from "../model/units.js";

/** `/v1/show/registrations`: one agent of a user. */
export interface RegistrationView {
  /** `user@domain`. */
  readonly user: string;
  readonly contact: string;
  /** 0 to 1: the most wanted is tried. */
  readonly q: number;
  readonly since: Timestamp;
  readonly expires: Timestamp;
  /** `udp`, `tcp`, `ws` or `wss`. */
  readonly transport: string;
  /** Address and port that it came from. */
  readonly from: string;
  /** It is reached by its connection, and only as long as that is open. */
  readonly connected: boolean;
  readonly instance?: string;
  /** What the agent calls itself. */
  readonly agent?: string;
}
