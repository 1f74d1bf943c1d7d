/** MESSAGE_ID, its acknowledgements and its lists (RFC 2961 §4.2, §4.3, §5.1): objects <-> values. */
import type { ObjectBag } from "./object-bag.js";
import type { RsvpObject } from "./object-table.js";
import type { MessageId, MessageIdAck, MessageIdList } from "./objects.js";

/** RFC 2961 §4.2. */
const ACK_DESIRED = 0x01;

export function messageIdOf(bag: ObjectBag): MessageId | undefined {
  const value = bag.maybe("messageId");
  if (value === undefined) return undefined;
  return { ackDesired: (value.flags & ACK_DESIRED) !== 0, epoch: value.epoch, id: value.id };
}

/** In the order of the wire. */
export function acksOf(bag: ObjectBag): MessageIdAck[] {
  return bag.objects.flatMap((object): MessageIdAck[] => {
    if (object.name !== "messageIdAck" && object.name !== "messageIdNack") return [];
    const { epoch, id } = object.value;
    return [{ kind: object.name === "messageIdAck" ? "ack" : "nack", epoch, id }];
  });
}

/** In the order of the wire. */
export function idListsOf(bag: ObjectBag): MessageIdList[] {
  return bag.objects.flatMap((object): MessageIdList[] => {
    switch (object.name) {
      case "messageIds":
        return [{ kind: "ids", epoch: object.value.epoch, ids: object.value.ids }];
      case "messageIdSources":
        return [{ kind: "sources", epoch: object.value.epoch, entries: object.value.entries }];
      case "messageIdMulticasts":
        return [{ kind: "multicast", epoch: object.value.epoch, entries: object.value.entries }];
      default:
        return [];
    }
  });
}

export function messageIdObject({ ackDesired, epoch, id }: MessageId): RsvpObject {
  return { name: "messageId", value: { flags: ackDesired ? ACK_DESIRED : 0, epoch, id } };
}

export function ackObject({ kind, epoch, id }: MessageIdAck): RsvpObject {
  return { name: kind === "ack" ? "messageIdAck" : "messageIdNack", value: { flags: 0, epoch, id } };
}

export function idListObject(list: MessageIdList): RsvpObject {
  const { epoch } = list;
  switch (list.kind) {
    case "ids":
      return { name: "messageIds", value: { flags: 0, epoch, ids: list.ids } };
    case "sources":
      return { name: "messageIdSources", value: { flags: 0, epoch, entries: list.entries } };
    case "multicast":
      return { name: "messageIdMulticasts", value: { flags: 0, epoch, entries: list.entries } };
  }
}
