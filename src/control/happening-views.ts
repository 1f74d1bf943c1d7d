/** What the control API tells as it happens. */
import type { BitsPerSecond, Dscp, Timestamp } from "../model/units.js";

/** What befell reservations. Rates at layer 3. */
export type RsvpHappeningView =
  | {
      readonly what: "reservation";
      /** `refused`: what was there is kept. `lost`: all of it is gone. `takenBack`: a part of it. `ended`: nobody wants it. */
      readonly change: "made" | "resized" | "refused" | "lost" | "takenBack" | "ended";
      /** `outgoing` begins at this router, `incoming` ends there, `transit` passes. */
      readonly direction: "outgoing" | "incoming" | "transit";
      readonly sender: string;
      readonly destination: string;
      /** Of an aggregate. */
      readonly dscp?: Dscp;
      readonly before: BitsPerSecond;
      readonly after: BitsPerSecond;
      readonly failure?: string;
    }
  | {
      readonly what: "neighbour";
      readonly change: "up" | "down" | "restarted";
      readonly address: string;
      readonly interface: string;
    }
  | { readonly what: "interface"; readonly change: "up" | "down"; readonly interface: string }
  | {
      /** The way of a sender's packets through this router; a hop is absent where it is the end. */
      readonly what: "path";
      readonly change: "new" | "moved" | "gone";
      readonly sender: string;
      readonly destination: string;
      readonly dscp?: Dscp;
      readonly previousHop?: string;
      readonly interface?: string;
    }
  /** Messages that were not taken, by the name of their counter. */
  | { readonly what: "refusedMessages"; readonly counter: string; readonly count: number };

/** A line of `/v1/rsvp/watch`. */
export type RsvpWatchLine = { readonly at: Timestamp } & RsvpHappeningView;
