/**
 * The room of each interface by the speed of its device. Reservations keep the share of the link that the configuration gives
 * them: on a device that tells half of the configured rate they may take half of the configured room.
 */
import type { BitsPerSecond } from "../../../model/units.js";
import type { LocalInterface, NetworkView } from "./network-view.js";

export interface LinkRoom {
  readonly name: string;
  /** What reservations may take together at the configured rate, layer 3. */
  readonly room: BitsPerSecond;
  /** What the link is configured to carry, layer 2; absent where it is not managed. */
  readonly rate?: BitsPerSecond;
}

/** Of the room of an interface, layer 3. */
type Resize = (name: string, room: BitsPerSecond) => void;

export class LinkRooms {
  readonly #links: readonly LinkRoom[];
  /** Of those that are not as configured. */
  readonly #rooms = new Map<string, BitsPerSecond>();
  #resize: Resize = () => undefined;

  constructor(links: readonly LinkRoom[]) {
    this.#links = links;
  }

  /** The same network, at the speeds of whose devices each look is one, too. */
  through(view: NetworkView): NetworkView {
    const interfaces = async (): Promise<readonly LocalInterface[]> => {
      const found = await view.interfaces();
      this.#look(found);
      return found;
    };
    return { ...view, interfaces };
  }

  /** Tells of each room that is not the configured one, and of each change from now on. */
  follow(resize: Resize): void {
    this.#resize = resize;
    for (const [name, room] of this.#rooms) resize(name, room);
  }

  /** An interface that is not there, or tells no speed, keeps the room that it had. */
  #look(found: readonly LocalInterface[]): void {
    for (const link of this.#links) {
      const speed = found.find(({ name }) => name === link.name)?.speed;
      if (speed === undefined) continue;
      const room = roomAt(link, speed);
      if ((this.#rooms.get(link.name) ?? link.room) === room) continue;
      this.#rooms.set(link.name, room);
      this.#resize(link.name, room);
    }
  }
}

function roomAt({ room, rate }: LinkRoom, speed: BitsPerSecond): BitsPerSecond {
  if (rate === undefined || speed >= rate) return speed < room ? speed : room;
  return Math.floor((room * speed) / rate) as BitsPerSecond;
}
