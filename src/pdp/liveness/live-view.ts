/** What sessions carry now, as the control API shows it. Pure. */
import type { LiveSessionView, LiveUsageView } from "../../control/live-views.js";
import type { Timestamp } from "../../model/units.js";
import type { LiveUsage } from "./liveness.js";

export const liveView = (sessions: readonly LiveUsage[], at: Timestamp): LiveUsageView => ({
  at,
  sessions: sessions.map(sessionView),
});

const sessionView = ({ session, up, down, moved, expires }: LiveUsage): LiveSessionView => ({
  session,
  up,
  down,
  ...(moved === undefined ? {} : { moved }),
  ...(expires === undefined ? {} : { expires }),
});
