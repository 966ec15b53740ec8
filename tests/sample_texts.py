"""What the bundled sample lines say, in which hand, and what time has done to them.

The sentences were written for this set; the people and places in them are invented.
"""

from __future__ import annotations

from dataclasses import dataclass

COLUMNS = ("image", "text", "x", "y", "width", "height", "polygon", "hand", "condition")


@dataclass(frozen=True, slots=True)
class SampleLine:
    """`hand`: font name; `height`: of the line before it is tilted, pixels; `condition`: see `on_paper`."""

    image: str
    hand: str
    condition: str
    height: int
    text: str


LINES = (
    SampleLine("01.jpg", "kalam", "clean", 84, "Parish of Ashcombe, register of letters, 1887"),
    SampleLine("02.png", "patrick-hand", "clean", 76, "Received of Mr. Whitfield the sum of four pounds"),
    SampleLine("03.jpg", "caveat", "paper", 88, "My dear sister, your letter came on Tuesday last"),
    SampleLine("04.jpg", "dancing-script", "paper", 80, "and we were all glad to hear you are well again."),
    SampleLine("05.jpg", "indie-flower", "shaded", 90, "The river rose in the night and took the bridge"),
    SampleLine("06.png", "shadows-into-light", "clean", 72, "No boats have come up since the first of March"),
    SampleLine("07.jpg", "kalam", "skewed", 80, "12 sacks of flour, 3 of oats, paid in full"),
    SampleLine("08.jpg", "la-belle-aurore", "paper", 96, "Father has sold the old mare to a man from Thorpe"),
    SampleLine("09.jpg", "patrick-hand", "noisy", 64, "Inventory of the upper store room, 9 June 1902"),
    SampleLine("10.png", "caveat", "binary", 100, "Baptised this day: Anna, daughter of John Marsh"),
    SampleLine("11.jpg", "cedarville-cursive", "clean", 84, "I remain your obedient servant"),
    SampleLine("12.jpg", "kalam", "ruled", 92, "The school was closed for ten days by the snow"),
    SampleLine("13.jpg", "dancing-script", "shaded", 86, "Mother sends her love and a pair of gloves."),
    SampleLine("14.jpg", "indie-flower", "truncated", 84, "This line was cut short on its way to the store"),
    SampleLine("15.png", "patrick-hand", "palette", 88, "Rent of the mill house: 7 pounds 10 shillings"),
    SampleLine("16.jpg", "shadows-into-light", "paper", 94, "He asked for work and was sent to the quarry"),
    SampleLine("17.jpg", "caveat", "skewed", 84, "We left the harbour at six in a fair wind"),
    SampleLine("18.jpg", "kalam", "bleed", 88, "Witness to the mark of Peter Holm, labourer"),
    SampleLine("19.jpg", "patrick-hand", "blurred", 80, "Letter no. 214, answered 3 April 1911"),
    SampleLine("20.png", "indie-flower", "clean", 70, "The doctor came twice and would take no money"),
    SampleLine("21.jpg", "dancing-script", "ruled", 98, "There is little news from the village"),
    SampleLine("22.jpg", "la-belle-aurore", "faded", 90, "The garden is full of roses this year"),
    SampleLine("23.jpg", "kalam", "shaded", 66, "Carried forward from page 36: 118 pounds 4 s."),
    SampleLine("24.jpg", "caveat", "noisy", 92, "Two of the crew were sick and stayed ashore"),
    SampleLine("25.jpg", "patrick-hand", "skewed", 78, "Born at Hill Farm, 22 November 1864"),
    SampleLine("26.png", "kalam", "binary", 96, "Census of the lower town, street by street"),
    SampleLine("27.jpg", "shadows-into-light", "shaded", 104, "They say the war will be over by the spring"),
    SampleLine("28.png", "", "not an image", 0, ""),
    SampleLine("29.jpg", "indie-flower", "paper", 82, "Please send the box with the next carrier"),
    SampleLine("30.jpg", "cedarville-cursive", "paper", 90, "Your loving son, Thomas"),
    SampleLine("31.jpg", "dancing-script", "bleed", 88, "The wedding is set for the last week of May"),
    SampleLine("32.jpg", "kalam", "noisy", 60, "Coal 2 tons, lamp oil 1 barrel, rope 40 yards"),
    SampleLine("33.jpg", "caveat", "shaded", 110, "Snow again, wind north, nothing seen"),
    SampleLine("34.png", "la-belle-aurore", "clean", 84, "I have the honour to report as follows"),
    SampleLine("35.jpg", "patrick-hand", "faded", 86, "The bearer of this note is known to me"),
    SampleLine("36.jpg", "indie-flower", "ruled", 120, "Sold at the autumn fair: 31 sheep"),
    SampleLine(
        "37.jpg",
        "kalam",
        "paper",
        62,
        "The council met in the great hall at noon and heard the report on the new road, the bridge, "
        "the market and the school",
    ),
)

PAGE = (
    SampleLine("page.jpg", "caveat", "page", 70, "Journal of the ship Marigold, third voyage"),
    SampleLine("page.jpg", "caveat", "page", 70, "Monday. Light rain, course south by west."),
    SampleLine("page.jpg", "kalam", "page", 62, "At dawn we saw the island and its smoke"),
    SampleLine("page.jpg", "kalam", "page", 62, "and by evening lay at anchor in the bay."),
)

BROKEN_PNG = b"This is a text file with the name of a picture. A batch job must give it a row and go on.\n"
