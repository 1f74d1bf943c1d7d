/** Sessions are shared by several aggregators: which part of a notice is about one of them. */
import type { IpAddress } from "../../../model/ip.js";
import type { FilterSpec } from "../../../rsvp/codec/objects.js";
import type { Notice } from "../../../rsvp/machine/events.js";

/** The notice as far as it concerns the sender at that address; undefined if it does not. */
export function partFor(sender: IpAddress, notice: Notice): Notice | undefined {
  switch (notice.what) {
    case "pathArrived":
    case "pathError":
      return notice.sender.template.address === sender ? notice : undefined;
    case "pathLost":
      return notice.template.address === sender ? notice : undefined;
    case "preempted":
      return names(notice.filters, sender) ? notice : undefined;
    case "unreserved":
    case "refused": {
      const { flows } = notice;
      // An error that does not say what it is about is about everything.
      return !("filters" in flows) || names(flows.filters, sender) ? notice : undefined;
    }
    case "reserved":
    case "confirmed": {
      const { flows } = notice;
      if (flows.style === "WF") return notice;
      if (flows.style === "SE") return names(flows.filters, sender) ? notice : undefined;
      const own = flows.flows.filter(({ filter }) => filter.address === sender);
      return own.length === 0 ? undefined : { ...notice, flows: { style: "FF", flows: own } };
    }
  }
}

const names = (filters: readonly FilterSpec[], sender: IpAddress): boolean =>
  filters.some(({ address }) => address === sender);
