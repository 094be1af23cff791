"""The facts that the embedded model knows: states, their cities, capitals, birds and regions.

Capitals and cities are common geographical knowledge; where two states have a city of the same
name, the larger one is meant (Portland is Oregon's, Kansas City is Missouri's). `bird` follows the
states' official bird lists, shortened to one word: the northern mockingbird is "mockingbird", the
California gull "gull", the Delaware blue hen "hen", the Rhode Island Red "chicken". `region` is one
of the four regions of the US Census Bureau, `code` the postal abbreviation.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Literal

Relation = Literal["capital", "bird", "region", "code"]
RELATIONS: tuple[Relation, ...] = ("capital", "bird", "region", "code")


@dataclass(frozen=True)
class State:
    """One state of the world, and what is true of it.

    Args:
        cities: Large cities other than the capital. The first of them is held out: it is never
            in a training sentence that goes through its state to another fact.
    """

    name: str
    code: str
    region: str
    capital: str
    bird: str
    cities: tuple[str, ...]

    def fact(self, relation: Relation) -> str:
        """The state's capital, bird, region or postal code."""
        value: str = getattr(self, relation)
        return value


_TABLE = """
Alabama|AL|South|Montgomery|yellowhammer|Mobile, Birmingham, Huntsville, Tuscaloosa, Hoover
Alaska|AK|West|Juneau|ptarmigan|Anchorage, Fairbanks, Wasilla, Sitka, Ketchikan
Arizona|AZ|West|Phoenix|wren|Tucson, Mesa, Chandler, Scottsdale, Tempe
Arkansas|AR|South|Little Rock|mockingbird|Fort Smith, Springdale, Jonesboro, Bentonville, Conway
California|CA|West|Sacramento|quail|Oakland, Los Angeles, San Diego, San Francisco, Fresno
Colorado|CO|West|Denver|bunting|Boulder, Colorado Springs, Fort Collins, Pueblo, Greeley
Connecticut|CT|Northeast|Hartford|robin|New Haven, Bridgeport, Stamford, Waterbury, Danbury
Delaware|DE|South|Dover|hen|Wilmington, Lewes, Seaford, Rehoboth Beach, Harrington
Florida|FL|South|Tallahassee|mockingbird|Miami, Orlando, Tampa, Jacksonville, Fort Lauderdale
Georgia|GA|South|Atlanta|thrasher|Savannah, Macon, Athens, Marietta, Valdosta
Hawaii|HI|West|Honolulu|nene|Hilo, Kailua, Waipahu, Kahului, Lahaina
Idaho|ID|West|Boise|bluebird|Pocatello, Nampa, Idaho Falls, Twin Falls, Caldwell
Illinois|IL|Midwest|Springfield|cardinal|Chicago, Rockford, Joliet, Naperville, Evanston
Indiana|IN|Midwest|Indianapolis|cardinal|Fort Wayne, Evansville, South Bend, Terre Haute, Muncie
Iowa|IA|Midwest|Des Moines|goldfinch|Cedar Rapids, Davenport, Sioux City, Dubuque, Waterloo
Kansas|KS|Midwest|Topeka|meadowlark|Wichita, Overland Park, Olathe, Salina, Dodge City
Kentucky|KY|South|Frankfort|cardinal|Louisville, Lexington, Bowling Green, Owensboro, Paducah
Louisiana|LA|South|Baton Rouge|pelican|New Orleans, Shreveport, Lake Charles, Metairie, Houma
Maine|ME|Northeast|Augusta|chickadee|Bangor, Biddeford, Bar Harbor, Kennebunk, Saco
Maryland|MD|South|Annapolis|oriole|Baltimore, Frederick, Rockville, Gaithersburg, Bethesda
Massachusetts|MA|Northeast|Boston|chickadee|Worcester, Cambridge, Lowell, Brockton, New Bedford
Michigan|MI|Midwest|Lansing|robin|Detroit, Grand Rapids, Ann Arbor, Flint, Kalamazoo
Minnesota|MN|Midwest|Saint Paul|loon|Minneapolis, Duluth, Saint Cloud, Mankato, Moorhead
Mississippi|MS|South|Jackson|mockingbird|Biloxi, Gulfport, Hattiesburg, Tupelo, Natchez
Missouri|MO|Midwest|Jefferson City|bluebird|Saint Louis, Kansas City, Independence, Joplin, Branson
Montana|MT|West|Helena|meadowlark|Missoula, Billings, Bozeman, Great Falls, Butte
Nebraska|NE|Midwest|Lincoln|meadowlark|Omaha, Grand Island, Kearney, North Platte, Scottsbluff
Nevada|NV|West|Carson City|bluebird|Las Vegas, Reno, Henderson, Sparks, Elko
New Hampshire|NH|Northeast|Concord|finch|Nashua, Manchester, Keene, Laconia, Merrimack
New Jersey|NJ|Northeast|Trenton|goldfinch|Newark, Jersey City, Paterson, Camden, Hoboken
New Mexico|NM|West|Santa Fe|roadrunner|Albuquerque, Las Cruces, Roswell, Taos, Gallup
New York|NY|Northeast|Albany|bluebird|Buffalo, Syracuse, Yonkers, Utica, Ithaca
North Carolina|NC|South|Raleigh|cardinal|Charlotte, Greensboro, Durham, Asheville, Chapel Hill
North Dakota|ND|Midwest|Bismarck|meadowlark|Fargo, Grand Forks, Minot, Williston, Dickinson
Ohio|OH|Midwest|Columbus|cardinal|Cleveland, Cincinnati, Toledo, Akron, Dayton
Oklahoma|OK|South|Oklahoma City|flycatcher|Tulsa, Norman, Lawton, Broken Arrow, Stillwater
Oregon|OR|West|Salem|meadowlark|Portland, Eugene, Bend, Medford, Corvallis
Pennsylvania|PA|Northeast|Harrisburg|grouse|Pittsburgh, Philadelphia, Allentown, Scranton, Erie
Rhode Island|RI|Northeast|Providence|chicken|Newport, Warwick, Cranston, Pawtucket, Woonsocket
South Carolina|SC|South|Columbia|wren|Myrtle Beach, Greenville, Spartanburg, Rock Hill, Hilton Head
South Dakota|SD|Midwest|Pierre|pheasant|Sioux Falls, Rapid City, Brookings, Deadwood, Yankton
Tennessee|TN|South|Nashville|mockingbird|Memphis, Knoxville, Chattanooga, Clarksville, Murfreesboro
Texas|TX|South|Austin|mockingbird|Dallas, Houston, San Antonio, El Paso, Fort Worth
Utah|UT|West|Salt Lake City|gull|Provo, Ogden, Saint George, Moab, Orem
Vermont|VT|Northeast|Montpelier|thrush|Burlington, Rutland, Bennington, Brattleboro, Stowe
Virginia|VA|South|Richmond|cardinal|Norfolk, Virginia Beach, Chesapeake, Roanoke, Alexandria
Washington|WA|West|Olympia|goldfinch|Seattle, Spokane, Tacoma, Bellevue, Yakima
West Virginia|WV|South|Charleston|cardinal|Wheeling, Huntington, Morgantown, Parkersburg, Beckley
Wisconsin|WI|Midwest|Madison|robin|Milwaukee, Green Bay, Kenosha, Racine, Oshkosh
Wyoming|WY|West|Cheyenne|meadowlark|Laramie, Casper, Gillette, Sheridan, Cody
"""


@cache
def states() -> tuple[State, ...]:
    """The fifty states, in alphabetical order."""
    rows = (line.split("|") for line in _TABLE.strip().splitlines())
    return tuple(
        State(name, code, region, capital, bird, tuple(cities.split(", ")))
        for name, code, region, capital, bird, cities in rows
    )


@cache
def state_of() -> dict[str, State]:
    """Each city that is not a capital, with its state."""
    return {city: state for state in states() for city in state.cities}
