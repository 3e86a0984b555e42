//! The map of the synthetic Zhejiang: its 90 counties with how much of each trade sits in them, and
//! how far each city has come with insuring those who must be insured.

use super::chance::{Chance, running_sums};

/// The sectors of the regulatory list, and the rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Sector {
    Mine,
    Hazchem,
    Fireworks,
    Transport,
    Construction,
    CivilExplosives,
    Metallurgy,
    Fishery,
    Other,
}

impl Sector {
    pub(super) const ALL: [Sector; 9] = [
        Sector::Mine,
        Sector::Hazchem,
        Sector::Fireworks,
        Sector::Transport,
        Sector::Construction,
        Sector::CivilExplosives,
        Sector::Metallurgy,
        Sector::Fishery,
        Sector::Other,
    ];

    pub(super) fn code(self) -> &'static str {
        match self {
            Sector::Mine => "mine",
            Sector::Hazchem => "hazchem",
            Sector::Fireworks => "fireworks",
            Sector::Transport => "transport",
            Sector::Construction => "construction",
            Sector::CivilExplosives => "civil_explosives",
            Sector::Metallurgy => "metallurgy",
            Sector::Fishery => "fishery",
            Sector::Other => "other",
        }
    }

    pub(super) fn department(self) -> Department {
        match self {
            Sector::Mine | Sector::Hazchem | Sector::Fireworks | Sector::Metallurgy => Department::Emergency,
            Sector::CivilExplosives => Department::DefenceIndustry,
            Sector::Construction => Department::Construction,
            Sector::Transport => Department::Transport,
            Sector::Fishery => Department::AgricultureFishery,
            Sector::Other => Department::Emergency,
        }
    }
}

/// A competent department of the province.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Department {
    Emergency,
    DefenceIndustry,
    Construction,
    Transport,
    AgricultureFishery,
}

impl Department {
    pub(super) fn code(self) -> &'static str {
        match self {
            Department::Emergency => "emergency",
            Department::DefenceIndustry => "defence_industry",
            Department::Construction => "construction",
            Department::Transport => "transport",
            Department::AgricultureFishery => "agriculture_fishery",
        }
    }
}

pub(super) struct County {
    pub(super) code: &'static str,
    pub(super) name: &'static str,
    pub(super) city: usize,
    /// The code it had before it became a district, which some senders still use.
    pub(super) former_code: Option<&'static str>,
    /// The character after 浙 on the bows of its fishing vessels.
    pub(super) vessel_letter: &'static str,
    businesses: f64,
    fishery: f64,
    chemistry: f64,
    mining: f64,
    metal: f64,
}

pub(super) struct City {
    pub(super) code: &'static str,
    pub(super) name: &'static str,
    /// Share of those who must insure that has ever insured, at the end of the demo.
    pub(super) reached: f64,
    /// How much of it was gained in a year.
    pub(super) gained_per_year: f64,
    /// Share of its high-hazard units that stand on a roster.
    pub(super) on_roster: f64,
}

pub(super) struct Province {
    pub(super) counties: Vec<County>,
    /// Running sums over the counties, one line for each of [`Sector::ALL`].
    weights: Vec<Vec<f64>>,
}

impl Province {
    pub(super) fn new() -> Self {
        let counties: Vec<County> = COUNTIES.iter().map(county).collect();
        let weights = Sector::ALL
            .iter()
            .map(|sector| running_sums(counties.iter().map(|county| county.weight(*sector))))
            .collect();
        Province { counties, weights }
    }

    /// A county for a unit of this sector.
    pub(super) fn draw(&self, chance: &mut Chance, sector: Sector) -> usize {
        chance.weighted(&self.weights[sector as usize])
    }

    /// The county's share of the units of the sector.
    pub(super) fn share(&self, sector: Sector, county: usize) -> f64 {
        let sums = &self.weights[sector as usize];
        let before = if county == 0 { 0.0 } else { sums[county - 1] };
        (sums[county] - before) / sums.last().copied().unwrap_or(1.0)
    }

    pub(super) fn city_of(&self, county: usize) -> &'static City {
        &CITIES[self.counties[county].city]
    }
}

impl County {
    fn weight(&self, sector: Sector) -> f64 {
        match sector {
            Sector::Fishery => self.fishery,
            Sector::Hazchem => self.businesses * (0.3 + self.chemistry),
            Sector::Mine => self.mining,
            Sector::Metallurgy => self.businesses * (0.1 + self.metal),
            _ => self.businesses,
        }
    }
}

fn county(line: &CountyLine) -> County {
    let (code, name, businesses, fishery, chemistry, mining, metal) = *line;
    let city = CITIES.iter().position(|city| city.code[..4] == code[..4]).unwrap_or(0);
    let former_code = FORMER_CODES.iter().find(|(_, now)| *now == code).map(|(former, _)| *former);
    let vessel_letter = VESSEL_LETTERS.iter().find(|(of, _)| *of == code).map_or("海", |(_, letter)| *letter);
    County { code, name, city, former_code, vessel_letter, businesses, fishery, chemistry, mining, metal }
}

const fn city(code: &'static str, name: &'static str, reached: f64, gained_per_year: f64, on_roster: f64) -> City {
    City { code, name, reached, gained_per_year, on_roster }
}

pub(super) const CITIES: [City; 11] = [
    city("330100", "杭州", 0.985, 0.010, 0.985),
    city("330200", "宁波", 0.990, 0.008, 0.990),
    city("330300", "温州", 0.935, 0.024, 0.950),
    city("330400", "嘉兴", 0.985, 0.012, 0.980),
    city("330500", "湖州", 0.975, 0.014, 0.975),
    city("330600", "绍兴", 0.995, 0.008, 0.990),
    city("330700", "金华", 0.945, 0.020, 0.960),
    city("330800", "衢州", 0.965, 0.016, 0.975),
    city("330900", "舟山", 0.985, 0.012, 0.985),
    city("331000", "台州", 0.955, 0.018, 0.965),
    city("331100", "丽水", 0.905, 0.026, 0.940),
];

const FORMER_CODES: [(&str, &str); 10] = [
    ("330103", "330105"),
    ("330104", "330102"),
    ("330185", "330112"),
    ("330283", "330213"),
    ("330204", "330212"),
    ("330322", "330305"),
    ("330183", "330111"),
    ("330621", "330603"),
    ("330682", "330604"),
    ("331021", "331083"),
];

const VESSEL_LETTERS: [(&str, &str); 22] = [
    ("330206", "仑"),
    ("330213", "奉"),
    ("330225", "象"),
    ("330226", "宁"),
    ("330305", "洞"),
    ("330326", "平"),
    ("330327", "苍"),
    ("330381", "瑞"),
    ("330382", "乐"),
    ("330383", "龙"),
    ("330424", "盐"),
    ("330482", "湖"),
    ("330902", "定"),
    ("330903", "普"),
    ("330921", "岱"),
    ("330922", "嵊"),
    ("331002", "椒"),
    ("331004", "路"),
    ("331022", "三"),
    ("331081", "岭"),
    ("331082", "临"),
    ("331083", "玉"),
];

/// Code, name, and the weights of businesses at large, fishing, chemistry, mining and metal.
type CountyLine = (&'static str, &'static str, f64, f64, f64, f64, f64);

const COUNTIES: [CountyLine; 90] = [
    ("330102", "上城区", 1.6, 0.0, 0.1, 0.0, 0.0),
    ("330105", "拱墅区", 1.5, 0.0, 0.1, 0.0, 0.0),
    ("330106", "西湖区", 1.4, 0.0, 0.1, 0.0, 0.0),
    ("330108", "滨江区", 0.9, 0.0, 0.1, 0.0, 0.0),
    ("330109", "萧山区", 2.6, 0.0, 1.2, 0.1, 0.6),
    ("330110", "余杭区", 1.9, 0.0, 0.2, 0.1, 0.1),
    ("330111", "富阳区", 1.1, 0.0, 0.6, 0.8, 1.5),
    ("330112", "临安区", 0.9, 0.0, 0.5, 0.6, 0.4),
    ("330113", "临平区", 1.4, 0.0, 0.4, 0.0, 0.3),
    ("330114", "钱塘区", 1.3, 0.0, 1.9, 0.0, 0.3),
    ("330122", "桐庐县", 0.6, 0.0, 0.3, 0.6, 0.3),
    ("330127", "淳安县", 0.4, 0.0, 0.1, 0.3, 0.0),
    ("330182", "建德市", 0.6, 0.0, 1.9, 1.0, 0.5),
    ("330203", "海曙区", 1.4, 0.0, 0.2, 0.1, 0.2),
    ("330205", "江北区", 0.8, 0.0, 0.2, 0.0, 0.4),
    ("330206", "北仑区", 1.9, 0.6, 2.2, 0.3, 0.8),
    ("330211", "镇海区", 1.0, 0.0, 3.0, 0.1, 0.5),
    ("330212", "鄞州区", 2.2, 0.0, 0.3, 0.2, 0.4),
    ("330213", "奉化区", 0.9, 2.0, 0.3, 0.4, 0.6),
    ("330225", "象山县", 0.9, 5.5, 0.3, 0.5, 0.3),
    ("330226", "宁海县", 1.0, 1.4, 0.4, 0.6, 0.5),
    ("330281", "余姚市", 1.8, 0.0, 0.5, 0.3, 0.7),
    ("330282", "慈溪市", 2.1, 0.0, 0.5, 0.1, 0.5),
    ("330302", "鹿城区", 1.6, 0.0, 0.2, 0.0, 0.1),
    ("330303", "龙湾区", 1.3, 0.0, 0.5, 0.0, 1.0),
    ("330304", "瓯海区", 1.3, 0.0, 0.3, 0.0, 0.3),
    ("330305", "洞头区", 0.3, 2.0, 0.5, 0.1, 0.0),
    ("330324", "永嘉县", 1.1, 0.0, 0.2, 0.4, 0.5),
    ("330326", "平阳县", 0.9, 1.0, 0.3, 0.2, 0.2),
    ("330327", "苍南县", 0.9, 2.2, 0.2, 0.5, 0.1),
    ("330328", "文成县", 0.2, 0.0, 0.1, 0.2, 0.0),
    ("330329", "泰顺县", 0.2, 0.0, 0.1, 0.4, 0.0),
    ("330381", "瑞安市", 1.8, 1.3, 0.6, 0.2, 0.8),
    ("330382", "乐清市", 1.9, 0.8, 0.3, 0.1, 0.6),
    ("330383", "龙港市", 0.7, 0.5, 0.3, 0.0, 0.1),
    ("330402", "南湖区", 1.1, 0.0, 0.5, 0.0, 0.2),
    ("330411", "秀洲区", 1.1, 0.0, 0.6, 0.0, 0.3),
    ("330421", "嘉善县", 1.1, 0.0, 0.6, 0.0, 0.5),
    ("330424", "海盐县", 0.9, 0.3, 1.6, 0.1, 0.6),
    ("330481", "海宁市", 1.5, 0.0, 0.7, 0.0, 0.3),
    ("330482", "平湖市", 1.2, 0.2, 2.0, 0.0, 0.4),
    ("330483", "桐乡市", 1.4, 0.0, 0.8, 0.0, 0.4),
    ("330502", "吴兴区", 1.2, 0.0, 0.5, 0.9, 0.7),
    ("330503", "南浔区", 0.9, 0.0, 0.5, 0.1, 0.6),
    ("330521", "德清县", 0.9, 0.0, 0.6, 1.0, 0.4),
    ("330522", "长兴县", 1.0, 0.0, 0.8, 1.8, 0.8),
    ("330523", "安吉县", 0.8, 0.0, 0.3, 1.1, 0.2),
    ("330602", "越城区", 1.3, 0.0, 0.5, 0.0, 0.2),
    ("330603", "柯桥区", 1.7, 0.0, 1.5, 0.2, 0.3),
    ("330604", "上虞区", 1.2, 0.0, 3.2, 0.2, 0.8),
    ("330624", "新昌县", 0.7, 0.0, 0.8, 0.3, 0.4),
    ("330681", "诸暨市", 1.7, 0.0, 0.4, 0.9, 1.8),
    ("330683", "嵊州市", 0.9, 0.0, 0.3, 0.4, 0.4),
    ("330702", "婺城区", 1.1, 0.0, 0.4, 0.3, 0.3),
    ("330703", "金东区", 0.7, 0.0, 0.3, 0.1, 0.2),
    ("330723", "武义县", 0.7, 0.0, 0.5, 0.6, 0.9),
    ("330726", "浦江县", 0.6, 0.0, 0.3, 0.2, 0.4),
    ("330727", "磐安县", 0.2, 0.0, 0.2, 0.2, 0.0),
    ("330781", "兰溪市", 0.7, 0.0, 0.9, 0.7, 1.0),
    ("330782", "义乌市", 2.4, 0.0, 0.2, 0.1, 0.1),
    ("330783", "东阳市", 1.3, 0.0, 0.5, 0.2, 0.3),
    ("330784", "永康市", 1.6, 0.0, 0.2, 0.1, 2.2),
    ("330802", "柯城区", 0.6, 0.0, 1.2, 0.1, 0.4),
    ("330803", "衢江区", 0.4, 0.0, 1.4, 0.5, 0.4),
    ("330822", "常山县", 0.3, 0.0, 0.4, 1.2, 0.3),
    ("330824", "开化县", 0.3, 0.0, 0.4, 0.4, 0.1),
    ("330825", "龙游县", 0.4, 0.0, 0.5, 0.4, 0.4),
    ("330881", "江山市", 0.6, 0.0, 0.5, 1.2, 0.4),
    ("330902", "定海区", 0.8, 2.2, 1.6, 0.5, 0.4),
    ("330903", "普陀区", 0.8, 6.0, 0.4, 0.2, 0.2),
    ("330921", "岱山县", 0.4, 3.6, 1.5, 0.3, 0.2),
    ("330922", "嵊泗县", 0.2, 2.6, 0.1, 0.1, 0.0),
    ("331002", "椒江区", 1.1, 1.6, 1.5, 0.0, 0.3),
    ("331003", "黄岩区", 1.1, 0.0, 0.5, 0.2, 0.4),
    ("331004", "路桥区", 1.1, 0.5, 0.3, 0.1, 1.0),
    ("331022", "三门县", 0.5, 1.3, 0.2, 0.3, 0.2),
    ("331023", "天台县", 0.5, 0.0, 0.5, 0.3, 0.2),
    ("331024", "仙居县", 0.5, 0.0, 1.4, 0.3, 0.1),
    ("331081", "温岭市", 1.9, 4.6, 0.2, 0.4, 0.8),
    ("331082", "临海市", 1.4, 1.0, 1.9, 0.4, 0.3),
    ("331083", "玉环市", 1.1, 1.5, 0.2, 0.1, 0.9),
    ("331102", "莲都区", 0.6, 0.0, 0.3, 0.2, 0.3),
    ("331121", "青田县", 0.4, 0.0, 0.3, 0.5, 0.8),
    ("331122", "缙云县", 0.5, 0.0, 0.2, 0.4, 0.6),
    ("331123", "遂昌县", 0.2, 0.0, 0.5, 0.6, 0.4),
    ("331124", "松阳县", 0.2, 0.0, 0.2, 0.3, 0.7),
    ("331125", "云和县", 0.2, 0.0, 0.1, 0.2, 0.1),
    ("331126", "庆元县", 0.2, 0.0, 0.1, 0.2, 0.1),
    ("331127", "景宁畲族自治县", 0.1, 0.0, 0.1, 0.2, 0.0),
    ("331181", "龙泉市", 0.3, 0.0, 0.2, 0.4, 0.2),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chance::{Seed, Stream};

    #[test]
    fn fishing_vessels_have_a_home_port_with_a_letter() {
        let province = Province::new();
        let mut chance = Seed::new(1).stream(Stream::Market, 0);
        let letters: Vec<&str> = VESSEL_LETTERS.iter().map(|(code, _)| *code).collect();
        for _ in 0..2_000 {
            let county = province.draw(&mut chance, Sector::Fishery);
            let code = province.counties[county].code;
            assert!(letters.contains(&code), "{code}");
        }
    }

    #[test]
    fn every_county_lies_in_its_city() {
        for county in Province::new().counties {
            assert_eq!(county.code[..4], CITIES[county.city].code[..4]);
        }
    }
}
