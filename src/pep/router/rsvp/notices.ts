/** Sessions are shared by several aggregators: which part of a notice is about one of them. */
import { filterKey } from "../../../rsvp/codec/keys.js";
import type { FilterSpec } from "../../../rsvp/codec/objects.js";
import type { Notice } from "../../../rsvp/machine/events.js";

/** The notice as far as it concerns that sender; undefined if it does not. */
export function partFor(sender: FilterSpec, notice: Notice): Notice | undefined {
  const key = filterKey(sender);
  switch (notice.what) {
    case "pathArrived":
    case "pathError":
      return filterKey(notice.sender.template) === key ? notice : undefined;
    case "pathLost":
      return filterKey(notice.template) === key ? notice : undefined;
    case "preempted":
      return names(notice.filters, key) ? notice : undefined;
    case "unreserved":
    case "refused": {
      const { flows } = notice;
      // An error that does not say what it is about is about everything.
      return !("filters" in flows) || names(flows.filters, key) ? notice : undefined;
    }
    case "reserved":
    case "confirmed": {
      const { flows } = notice;
      if (flows.style === "WF") return notice;
      if (flows.style === "SE") return names(flows.filters, key) ? notice : undefined;
      const own = flows.flows.filter(({ filter }) => filterKey(filter) === key);
      return own.length === 0 ? undefined : { ...notice, flows: { style: "FF", flows: own } };
    }
  }
}

const names = (filters: readonly FilterSpec[], key: string): boolean =>
  filters.some((filter) => filterKey(filter) === key);

/** Whether it is for the sender of a flow; the others are for its receiver. */
export function isForSender({ what }: Notice): boolean {
  switch (what) {
    case "reserved":
    case "unreserved":
    case "pathError":
      return true;
    case "pathArrived":
    case "pathLost":
    case "confirmed":
    case "refused":
    case "preempted":
      return false;
  }
}
