import type { VNode } from "preact";
import { comparePane, mainPane } from "../state/pane.ts";
import { settings } from "../state/settings.ts";
import { Examples } from "./examples.tsx";
import { LayerList } from "./layer-list.tsx";
import { PictureActions } from "./picture-actions.tsx";
import { PictureView } from "./picture-view.tsx";
import { SketchBoard } from "./sketch-board.tsx";
import { SketchTools } from "./sketch-tools.tsx";

/** The sketch, the picture, and DDIM's beside it: as many of them as are wanted. */
export function Stage(): VNode {
  const sketching = settings.mode.value === "sketch";
  const comparing = settings.compare.value;
  return (
    <div class={`stage panes-${1 + Number(sketching) + Number(comparing)}${comparing ? " narrow" : ""}`}>
      {sketching && (
        <section class="sketch" aria-label="Sketch">
          <SketchBoard />
          <SketchTools />
          <LayerList />
        </section>
      )}
      <PictureView
        pane={mainPane}
        title="Picture"
        empty={
          <>
            <p>{sketching ? "Sketch something, and say what it is." : "Type, and the picture follows."}</p>
            <Examples />
          </>
        }
      >
        <PictureActions picture={mainPane.picture.value} />
      </PictureView>
      {comparing && <PictureView pane={comparePane} title="By DDIM" empty={<p>DDIM draws the same here.</p>} />}
    </div>
  );
}
