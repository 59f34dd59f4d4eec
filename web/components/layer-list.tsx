import type { VNode } from "preact";
import { addLayer, changeLayer, type Layer, moveLayer, removeLayer } from "../sketch/document.ts";
import { changeSketch, sketch } from "../sketch/sketch-state.ts";
import { IconButton } from "./icon-button.tsx";

/** The sketch's layers, the uppermost first. */
export function LayerList(): VNode {
  const { layers, active } = sketch.value;
  return (
    <section class="layers" aria-label="Layers">
      <header>
        <h3>Layers</h3>
        <IconButton icon="plus" label="Add a layer" onClick={() => changeSketch((before) => addLayer(before))} />
      </header>
      <ul>
        {[...layers].reverse().map((layer, i) => (
          <LayerRow
            key={layer.id}
            layer={layer}
            active={layer.id === active}
            uppermost={i === 0}
            lowest={i === layers.length - 1}
          />
        ))}
      </ul>
    </section>
  );
}

interface LayerRowProps {
  readonly layer: Layer;
  readonly active: boolean;
  readonly uppermost: boolean;
  readonly lowest: boolean;
}

function LayerRow({ layer, active, uppermost, lowest }: LayerRowProps): VNode {
  const { id, name, visible } = layer;
  return (
    <li class={active ? "active" : ""}>
      <button
        type="button"
        class="layer-name"
        aria-pressed={active}
        onClick={() => {
          sketch.value = { ...sketch.peek(), active: id };
        }}
      >
        {name}
      </button>
      <IconButton
        icon={visible ? "eye" : "hidden"}
        label={visible ? `Hide ${name}` : `Show ${name}`}
        onClick={() => changeSketch((before) => changeLayer(before, id, (one) => ({ ...one, visible: !visible })))}
      />
      <IconButton
        icon="up"
        label={`Move ${name} up`}
        disabled={uppermost}
        onClick={() => changeSketch((before) => moveLayer(before, id, 1))}
      />
      <IconButton
        icon="down"
        label={`Move ${name} down`}
        disabled={lowest}
        onClick={() => changeSketch((before) => moveLayer(before, id, -1))}
      />
      <IconButton
        icon="trash"
        label={`Remove ${name}`}
        onClick={() => changeSketch((before) => removeLayer(before, id))}
      />
    </li>
  );
}
